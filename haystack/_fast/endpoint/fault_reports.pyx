"""What the control process is told of endpoints that fail, and of those that are well again: counts, and a comparison with the others.

The control process decides who is ejected. A worker counts, and says beside each endpoint's faults how the others of its service did in the
same time: what fails everywhere is the request's fault.
"""
from libc.string cimport memset

from haystack._fast.endpoint.endpoint cimport Endpoint, Comparison, is_keyed
from haystack._fast.endpoint.outlier cimport OutlierState, failed, went_well

cdef enum:
    COMPARED_MS = 10_000    # so long what others answered counts as the same time
    KNOWN = 10              # exchanges that went well before a fault and are told with it: that there were some is news, how many is not


cdef class FaultReports:
    """Of one worker; times in milliseconds of its clock."""

    def __init__(self):
        self.members = []

    cdef int fault(self, Member member, Queue queue, Fault kind, int64_t now) except -1:
        """An exchange with this member failed. queue: of the service that was asked, whose other endpoints are what it is compared with.

        A connection that is refused is the endpoint's fault whatever was asked, and is not compared. Where requests go by a key or a
        cookie, chance does not decide who gets those that fail everywhere: there only faults count that another endpoint has confirmed.
        """
        self.add(member)
        if kind == Fault.RESET or kind == Fault.TIMEOUT:    # one that was answered with an error was counted with the answer
            queue.ended += 1
            member.broken += 1
        if kind != Fault.REFUSED and not is_keyed(queue.route):
            self.count(member, queue, now)
        failed(&member.endpoint.outlier, kind, now)
        return 0

    cdef int count(self, Member member, Queue queue, int64_t now) except -1:
        """Count a fault in the comparison of this endpoint with the others of the service.

        The first one only begins it: a sample that began with a fault of its own would speak against whoever is looked at.
        """
        queue.faulty += 1
        if not is_compared(member) or member.compared is not queue or now - member.comparison.at > COMPARED_MS:
            compare(member, queue, now)
        else:
            member.comparison.own_faulty += 1
        return 0

    cdef int confirm(self, Member member, Queue queue, int64_t now) except -1:
        """Another endpoint has answered well what this one failed at: so the fault was not the request's."""
        if is_keyed(queue.route):
            self.add(member)
            self.count(member, queue, now)
        return 0

    cdef int fine(self, Member member) except -1:
        """An exchange with this member is being answered as it should be."""
        return self.add(member) if went_well(&member.endpoint.outlier) else 0

    cdef int add(self, Member member) except -1:
        """There is something to tell of this member."""
        if not member.listed:
            member.listed = True
            self.members.append(member)
            if not member.endpoint.outlier.told_bad:
                member.endpoint.outlier.ended = min(member.endpoint.outlier.ended, <int64_t>KNOWN)
        return 0

    cdef list take(self, int64_t now):
        """News since the last call, a tuple a member.

        Key, service, exchanges, refused, reset, late, answered with an error, streak, requests that it was silent to, for how many ms; its
        exchanges that are compared, faults among them, those of the service's others in the same time, faults among these.
        """
        cdef Member member
        cdef Endpoint endpoint
        cdef OutlierState *state
        cdef list members = self.members, rows = []
        self.members = []
        for member in members:
            endpoint = member.endpoint
            state = &endpoint.outlier
            faults = state.faults[0], state.faults[1], state.faults[2], state.faults[3]
            rows.append((endpoint.key, member.service, state.ended, *faults, state.streak, state.unanswered, state.quiet_ms,
                         *take_comparison(member, now)))
            state.unanswered = state.quiet_ms = state.ended = 0
            memset(state.faults, 0, sizeof(state.faults))
            member.listed = False
            state.told_bad = state.streak > 0
        return rows


cdef bint is_compared(Member member) noexcept:
    """Whether a comparison goes on, and is about the process that is there now."""
    return member.compared is not None and member.comparison.born == member.endpoint.born


cdef void compare(Member member, Queue queue, int64_t now) noexcept:
    """From here on, what this one and the others of the service do is counted."""
    member.compared = queue
    member.comparison = Comparison(member.endpoint.born, now, member.requests + member.broken, 0, queue.ended, queue.faulty)


cdef tuple take_comparison(Member member, int64_t now):
    """Exchanges and faults of this one, and of the others of its service, since the comparison began or was last told."""
    cdef Queue queue = member.compared
    cdef Comparison *c = &member.comparison
    cdef int64_t ended, others
    if not is_compared(member):
        return 0, 0, 0, 0
    ended = member.requests + member.broken - c.own
    others = queue.ended - c.ended - ended
    # a fault that was confirmed after the comparison began may be one of an exchange before it
    told = ended, min(c.own_faulty, ended), others, min(queue.faulty - c.faulty - c.own_faulty, others)
    compare(member, queue, now)
    return told

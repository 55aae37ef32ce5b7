"""The endpoint that a request is sent to next: the client's own, one that is to be probed, or a choice of the picker that does not fail.

An endpoint without room is passed over, and waited for when all are.
"""
from haystack._fast.endpoint.endpoint cimport MAX_TRIES, Queue, was_tried
from haystack._fast.endpoint.outlier cimport Phase, probe_is_due
from haystack._fast.endpoint.retry_budget cimport spend
from haystack._fast.exchange.retry cimport moved
from haystack._fast.util.random_numbers cimport below, next_random

cdef enum:
    PROBE_BY_ANY_MS = 5000      # a request that can't be repeated is a silent endpoint's probe only where no other has come for so long


cdef Member next_member(Route route, Candidates *c, Member named, bint idempotent, int64_t now, bint *full):
    """The next candidate that has room; None: there is none, and full says whether that is for want of room.

    named: by the client's cookie, or None. full: False at first, kept between the calls for one request.
    """
    cdef Member member
    cdef int tried = c.tries            # so many were tried; behind them those that have no room
    while True:
        member = candidate(route, c, named, idempotent, now)
        if member is None:
            if not full[0]:
                return None
            member = with_room(route, c, True, now)
            if member is None:
                member = with_room(route, c, False, now)
            if member is None:
                return None
            full[0] = False
        elif full[0]:
            member = rather_well(route, c, member, now)
        if not member.endpoint.is_full() and not (full[0] and member.endpoint.outlier.phase == Phase.SILENT):
            c.passed = c.tries - tried
            c.tries = tried             # after the next failure those that had no room may have some, or be waited for
            return member
        note(c, member)
        full[0] = True


cdef void note(Candidates *c, Member member) noexcept:
    """It is not asked again."""
    if c.tries < MAX_TRIES:
        c.tried[c.tries] = <void *>member
        c.tries += 1


cdef bint has_others(Route route, Candidates *c) noexcept:
    """Whether there are members that were not tried yet."""
    return c.tries + c.passed < min(<Py_ssize_t>MAX_TRIES, len(route.members))


cdef Member candidate(Route route, Candidates *c, Member named, bint idempotent, int64_t now):
    """The client's own endpoint while it is there and answers; the one to be probed; the picker's choice."""
    cdef Member member
    if c.tries:
        return picked(route, c, False, idempotent, now)
    if named is not None and not named.endpoint.gone and not named.endpoint.is_full() and (
        not named.endpoint.outlier.phase or named.endpoint.outlier.avoid_until <= now
    ):
        return named
    member = to_probe(route, idempotent, now)
    return member if member is not None else picked(route, c, False, idempotent, now)


cdef Member to_probe(Route route, bint idempotent, int64_t now):
    """The member that is to be probed, if this request may be the probe: others wait longer for one that may."""
    cdef Queue queue = route.queue
    cdef Member member = queue.suspect
    if member is None or (not idempotent and now - member.endpoint.outlier.next_probe < PROBE_BY_ANY_MS):
        return None
    queue.suspect = None
    if now < member.endpoint.outlier.next_probe:
        return None                     # it was judged silent meanwhile, and has its pause
    if not member.endpoint.outlier.phase or member.endpoint.gone or member.endpoint.is_full() or member not in route.members:
        return None
    return member


cdef Member picked(Route route, Candidates *c, bint careful, bint idempotent, int64_t now):
    """The picker's first choice that has not failed recently: of two; of more as long as they are silent; of all that have room, where the
    second has none. None such: the first choice.

    careful: rather one that keeps no requests waiting, and none to be probed.
    """
    cdef Member first = route.picker.pick(c.key, c.tried, c.tries), member = first
    cdef int tries = c.tries
    if member is not None and c.tries == 0 and idempotent and not careful and not member.endpoint.is_full() and (
        probe_is_due(&member.endpoint.outlier, now)
    ):
        return member                   # its probe: the queue in which it was judged may be one that nobody asks any more
    while member is not None and tries < MAX_TRIES and (
        member.endpoint.outlier.avoid_until > now or (careful and member.endpoint.outlier.quiet_since)
    ):
        if tries > c.tries and not careful and not member.endpoint.outlier.phase:
            break                       # so many fail that avoiding all of them would bury the others
        c.tried[tries] = <void *>member
        tries += 1
        member = route.picker.pick(c.key, c.tried, tries)
    if member is None or member.endpoint.outlier.avoid_until > now:
        return first
    if not member.endpoint.is_full() or first.endpoint.outlier.phase == Phase.SILENT:
        return member
    return first if careful else rather_well(route, c, first, now)


cdef Member untroubled(Route route, Candidates *c, bint idempotent, int64_t now):
    """The member that a request could be moved to; None: nobody has room and has answered well of late."""
    cdef Member member = picked(route, c, True, idempotent, now), other
    if member is None:
        return None
    if not member.endpoint.is_full() and is_calm(member, now):
        return member
    other = with_room(route, c, True, now)
    if other is not None:
        return other
    return None if member.endpoint.is_full() or member.endpoint.outlier.avoid_until > now else member


cdef Member elsewhere(Route route, Candidates *c, RetryState *r, int64_t now):
    """The member that a request is moved to from one that may have seen it, at the cost of a repetition; None: it stays where it is."""
    cdef Member member = untroubled(route, c, r.idempotent, now)
    if member is None or not spend(&route.queue.budget, now):
        return None
    moved(r)
    c.passed = 0
    return member


cdef inline bint is_calm(Member member, int64_t now) noexcept:
    """Whether it has not failed recently, and keeps no requests waiting."""
    return member.endpoint.outlier.avoid_until <= now and not member.endpoint.outlier.quiet_since


cdef Member rather_well(Route route, Candidates *c, Member member, int64_t now):
    """Where others are full: one that has room and is well, rather than this one if it has just failed. It is itself where none is."""
    cdef Member other = None
    if member.endpoint.outlier.avoid_until > now and not member.endpoint.is_full() and member.endpoint.outlier.phase != Phase.SILENT:
        other = with_room(route, c, True, now)
    return member if other is None else other


cdef Member with_room(Route route, Candidates *c, bint careful, int64_t now):
    """A member that has room, is not silent and was not tried, or None. The picker looks at a few only; this looks at all.

    careful: none that has failed recently, or that keeps requests waiting.
    """
    cdef Member member = roomy(route.picker.weighted, c, careful, now)
    return member if member is not None else roomy(route.picker.spare, c, careful, now)


cdef Member roomy(list members, Candidates *c, bint careful, int64_t now):
    """The first such member from any place on: many requests that come here at once are not all for the same one."""
    cdef Member member
    cdef Py_ssize_t _i, size = len(members), at = <Py_ssize_t>below(size, next_random())
    for _i in range(size):
        member = <Member>members[at]
        at = at + 1 if at + 1 < size else 0
        if member.endpoint.is_full() or member.endpoint.outlier.phase == Phase.SILENT or (careful and not is_calm(member, now)):
            continue
        if not was_tried(<void *>member, c.tried, c.tries):
            return member
    return None

"""Whether a request may be sent again, and at what cost.

Any method may while no endpoint saw it. Afterwards only an idempotent one that can be sent again whole, and once, whatever went wrong (the
endpoint broke off, was silent, or answered with an error); never after a byte of a response went down; within the service's budget. An
endpoint that was told to stop costs no repetition: that it breaks off is no wonder, and says nothing against the request.
"""
from haystack._fast.endpoint.retry_budget cimport spend


cdef Verdict after_break(
        RetryState *r, bint unseen, bint stale, bint was_stopped, RetryBudget *budget, int64_t now) noexcept:
    """The connection broke before a response.

    unseen: the endpoint can't have had any of the request; stale: the connection came from the pool, so its end may have been on the way;
    was_stopped: its container had been told to stop.
    """
    if r.body_sent or not (unseen or r.idempotent):
        return Verdict.UNSAFE
    if not unseen:
        r.repeats += not was_stopped
        if r.repeats > MOST_REPEATS:
            return Verdict.SUSPECT
        if not stale and not spend(budget, now):
            return Verdict.OVER_BUDGET
    if stale or not unseen:
        r.fresh_only = True             # another old connection may be at its end, too, and once more is all that there may be
    return Verdict.AGAIN


cdef bint may_leave_dead(RetryState *r, bint unseen, bint was_stopped) noexcept:
    """Its endpoint is dead or paused, and it waits for an answer there: a paused one may go on, a dead one's connection says so itself."""
    if r.body_sent:
        return False
    return unseen or (r.idempotent and (r.repeats < MOST_REPEATS or was_stopped))


cdef bint may_leave_silent(RetryState *r, bint body_done) noexcept:
    """Its endpoint is silent while others answer."""
    return r.idempotent and r.repeats < MOST_REPEATS and body_done and not r.body_sent


cdef bint may_leave_failing(RetryState *r, int status, int retried, bint body_done) noexcept:
    """Its endpoint answers with an error. retried: the statuses after which another one is asked, 500 in bit 0."""
    if status > 504 or not retried >> (status - 500) & 1:
        return False
    return r.reads_only and r.repeats == 0 and body_done and not r.body_sent


cdef void moved(RetryState *r) noexcept:
    """It goes elsewhere though its endpoint may have seen it."""
    r.repeats += 1
    r.fresh_only = True


cdef list blame(list blamed, Endpoint endpoint):
    """Note that this endpoint broke the request off. blamed: (endpoint, how often it was told to stop), or None."""
    blamed = [] if blamed is None else blamed
    blamed.append((endpoint, endpoint.stops))
    return blamed


cdef list acquit(RetryState *r, list blamed):
    """Take back the repetitions at endpoints that turned out to have been told to stop: that may be heard of after they broke off."""
    cdef list still
    if blamed is None:
        return None
    still = [each for each in blamed if (<Endpoint>each[0]).stops == each[1]]
    r.repeats -= <int>(len(blamed) - len(still))
    return still

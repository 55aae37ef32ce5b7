# Whether a request may be sent again. Pure: no socket, no clock.
from libc.stdint cimport int64_t
from haystack._fast.endpoint.endpoint cimport Endpoint
from haystack._fast.endpoint.retry_budget cimport RetryBudget

cdef enum:
    MOST_REPEATS = 1            # of a request that an endpoint may have seen: it may be what kills, or silences, whoever reads it

cdef struct RetryState:         # of one request
    bint idempotent             # RFC 9110, section 9.2.2
    bint reads_only             # GET, HEAD, OPTIONS
    bint body_sent              # bytes of a body that isn't kept went up: it can't be sent again
    bint fresh_only             # on no pooled connection any more: the last one was stale
    int repeats                 # how often it was sent again though an endpoint may have seen it

cdef enum Verdict:              # on a request whose endpoint's connection broke before a response
    AGAIN = 0                   # send it to the next candidate
    UNSAFE                      # it may have had an effect, or can't be sent again whole
    SUSPECT                     # it may be what makes endpoints break off
    OVER_BUDGET

cdef Verdict after_break(
    RetryState *r, bint unseen, bint stale, bint was_stopped, RetryBudget *budget, int64_t now) noexcept
cdef bint may_leave_dead(RetryState *r, bint unseen, bint was_stopped) noexcept
cdef bint may_leave_silent(RetryState *r, bint body_done) noexcept
cdef bint may_leave_failing(RetryState *r, int status, int retried, bint body_done) noexcept
cdef void moved(RetryState *r) noexcept
cdef list blame(list blamed, Endpoint endpoint)
cdef list acquit(RetryState *r, list blamed)

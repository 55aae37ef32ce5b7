# Which endpoint a request is sent to next. Pure: no socket, no clock.
from libc.stdint cimport int64_t, uint64_t
from haystack._fast.endpoint.endpoint cimport Member, Route
from haystack._fast.exchange.retry cimport RetryState

cdef struct Candidates:         # of one request
    uint64_t key                # for pickers that go by one
    void *tried[8]              # members, kept alive by the route
    int tries
    int passed                  # members that had no room when the last one was chosen

cdef Member next_member(Route route, Candidates *c, Member named, bint idempotent, int64_t now, bint *full)
cdef Member elsewhere(Route route, Candidates *c, RetryState *r, int64_t now)
cdef void note(Candidates *c, Member member) noexcept
cdef bint has_others(Route route, Candidates *c) noexcept

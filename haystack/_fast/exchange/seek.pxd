# The way of a request to an endpoint: who is tried, who waits for one, what is sent again.
from libc.stdint cimport int64_t, uint64_t
from haystack._fast.endpoint.endpoint cimport Cell, Member, Queue, Route
from haystack._fast.exchange.exchange cimport Exchange
from haystack._fast.exchange.upstream cimport Upstream
from haystack._fast.util.buffer cimport Buffer

cdef class Seeker(Exchange):
    cdef Upstream up
    cdef uint64_t key           # of the request, for pickers that go by one
    cdef void *tried[8]         # members, kept alive by route
    cdef int tries
    cdef int passed             # members that had no room when the last one was chosen
    cdef int failure            # the status that the last failed try would be answered with; 0: none failed
    cdef Queue queue            # in which it waits or waited; None: it did not
    cdef list blamed            # (endpoint, its stops) for each that broke it off and may have seen it; None: none has
    cdef int crowd              # members that its service had when it was ready
    cdef bint roomless          # its deadline is that of waiting for room
    cdef int64_t hope           # poller's milliseconds until which it waits for news of endpoints that all failed; 0: none did
    cdef bint short_of          # the last try failed for want of a descriptor of ours, or the like
    cdef bint fresh_only        # no pooled connection any more: the last one was stale
    cdef bint body_sent         # bytes of a body that isn't kept went up
    cdef Buffer request         # the head as sent upstream and what is kept of the body, for another try

    cdef int seek(self) except -1
    cdef int dispatch(self) except -1
    cdef int failed_at_once(self, Member member) except -1
    cdef void note_try(self, Member member) noexcept
    cdef int go(self, Member member) except -1
    cdef Member candidate(self)
    cdef Member picked(self, bint careful)
    cdef Member untroubled(self)
    cdef Member on_trial(self)
    cdef int move(self, const char *error, int status) except -1
    cdef Member with_room(self)
    cdef int wait_for_room(self) except -1
    cdef int wait_for_endpoint(self) except -1
    cdef int nobody(self, Route route) except -1
    cdef int exhausted(self) except -1
    cdef int join(self, bint first) except -1
    cdef int suspected(self) except -1
    cdef int blame(self, Cell cell) except -1
    cdef int acquit(self) except -1
    cdef int look_again(self) except -1
    cdef int waited(self) except -1
    cdef int connect_to(self, Cell cell) except -1
    cdef int keep(self, const char *data, size_t size) except -1
    cdef int detach(self, bint reusable) except -1
    cdef void renew(self) noexcept

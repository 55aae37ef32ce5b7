# The way of a request to an endpoint: who is tried, who waits for one, what is sent again.
from haystack._fast.endpoint.endpoint cimport Cell, Member, Queue, Route
from haystack._fast.exchange.candidates cimport Candidates
from haystack._fast.exchange.exchange cimport Exchange
from haystack._fast.exchange.pending cimport Decision, PendingState
from haystack._fast.exchange.upstream cimport Upstream
from haystack._fast.util.buffer cimport Buffer

cdef class Dispatcher(Exchange):
    cdef Upstream up
    cdef Candidates candidates
    cdef PendingState wait
    cdef int failure            # the status that the last failed try would be answered with; 0: none failed
    cdef Queue queue            # in which it waits or waited; None: it did not
    cdef list blamed            # (endpoint, its stops) for each that broke it off and may have seen it; None: none has
    cdef int crowd              # members that its service had when it was ready
    cdef bint short_of          # the last try failed for want of a descriptor of ours, or the like
    cdef Buffer request         # the head as sent upstream and what is kept of the body, for another try

    cdef int seek(self) except -1
    cdef int dispatch(self) except -1
    cdef int failed_at_once(self, Member member) except -1
    cdef int go(self, Member member) except -1
    cdef int move(self, const char *error, int status) except -1
    cdef bint has_place(self) except -1
    cdef int wait_for_room(self) except -1
    cdef int wait_for_endpoint(self) except -1
    cdef int nobody(self, Route route) except -1
    cdef int exhausted(self) except -1
    cdef int join(self, Decision decision) except -1
    cdef int suspected(self) except -1
    cdef int look_again(self) except -1
    cdef int waited(self) except -1
    cdef int connect_to(self, Cell cell) except -1
    cdef int keep(self, const char *data, size_t size) except -1
    cdef int detach(self, bint reusable) except -1
    cdef void renew(self) noexcept

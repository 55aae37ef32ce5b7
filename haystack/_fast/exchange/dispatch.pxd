# The way of a request to an endpoint: who is tried, who waits for one, what is sent again.
from haystack._fast.endpoint.endpoint cimport Member
from haystack._fast.exchange.exchange cimport Exchange
from haystack._fast.http1.serialize cimport Client

cdef int begin_dispatch(Exchange x) except -1
cdef int connected(Exchange x) except -1
cdef int introduce(Exchange x) except -1
cdef void leave_queue(Exchange x) noexcept
cdef int look_again(Exchange x) except -1
cdef int suspected(Exchange x) except -1
cdef int waited(Exchange x) except -1
cdef int lost(Exchange x, bint unseen, const char *error, int status) except -1
cdef int rescue(Exchange x) except -1
cdef bint forsake(Exchange x, Member accused) except -1
cdef int answered_elsewhere(Exchange x, int status) except -1
cdef bint retry(Exchange x, int status) except -1

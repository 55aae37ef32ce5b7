# Calls of gRPC's, in what they differ from other requests.
from libc.stdint cimport int64_t

from haystack._fast.exchange.exchange cimport Exchange
from haystack._fast.http1.head cimport Head

cdef bint is_call(Head *h) noexcept
cdef bint is_stream(Exchange x) noexcept
cdef int64_t silence(Exchange x) noexcept
cdef bint has_status(Exchange x) noexcept
cdef int end_with_status(Exchange x, int status, const char *error, bytes detail) except -1

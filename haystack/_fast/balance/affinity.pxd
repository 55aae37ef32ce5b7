# What of a request says where it belongs: the key of a hash, and the cookie of a sticky service.
from libc.stdint cimport uint64_t
from haystack._fast.endpoint.endpoint cimport Member, Route
from haystack._fast.http1.head cimport Field, Head
from haystack._fast.util.buffer cimport Buffer

cdef uint64_t request_key(Route route, Head *h, const char *address, int address_size) noexcept
cdef uint64_t address_key(Route route, const char *address, int address_size) noexcept
cdef Member recalled(Route route, Head *h)
cdef int write_cookie(Buffer *b, Route route, Member member) except -1

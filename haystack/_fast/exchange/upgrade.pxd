from haystack._fast.endpoint.endpoint cimport Route
from haystack._fast.http1.head cimport Head
from haystack._fast.util.buffer cimport Buffer

cdef bint offer(Buffer *out, Head *h, Route route) except -1
cdef bint keeps_to(const char *request, size_t size, Head *answer) noexcept

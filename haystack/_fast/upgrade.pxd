from haystack._fast.buffer cimport Buffer
from haystack._fast.cells cimport Route
from haystack._fast.head cimport Head

cdef bint offer(Buffer *out, Head *h, Route route) except -1
cdef bint keeps_to(const char *request, size_t size, Head *answer) noexcept

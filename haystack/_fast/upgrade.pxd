from haystack._fast.head cimport Head

cdef bint keeps_to(const char *request, size_t size, Head *answer) noexcept

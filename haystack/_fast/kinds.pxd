cdef int kind_of(const char *name, int size) noexcept nogil
cdef bint is_disguised(const char *name, int size) noexcept nogil

# What the kernel knows of a connection.
from libc.stdint cimport int64_t

cdef bint untouched(int fd, int64_t before, bint clean) noexcept
cdef int unacknowledged(int fd) noexcept
cdef bint is_own(int error) noexcept

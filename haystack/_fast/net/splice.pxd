# Pipes through which bytes go from socket to socket without passing through this process.
cdef struct Pipe:
    int into
    int out
    size_t held         # bytes in it
    Pipe *next          # of the free ones

cdef Pipe *take_pipe() noexcept nogil
cdef void give_pipe(Pipe *pipe) noexcept nogil
cdef Py_ssize_t fill(Pipe *pipe, int fd, size_t most) noexcept nogil
cdef Py_ssize_t drain(Pipe *pipe, int fd) noexcept nogil

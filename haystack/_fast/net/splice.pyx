"""splice(2): bytes go from one socket to another through a pipe, as pages that change hands. Knows file descriptors only.

For long bodies, where it takes a third of the CPU that reading and writing take (bench/micro/splice.py; docs/decisions/0003). Pipes are
kept for the next one. Where there is none to be had, take_pipe gives NULL and the caller copies.
"""
from libc.errno cimport EAGAIN, EINTR, errno
from libc.stdlib cimport free, malloc
from posix.fcntl cimport O_NONBLOCK
from posix.unistd cimport close as close_fd


cdef extern from "fcntl.h" nogil:
    enum:
        O_CLOEXEC
        SPLICE_F_MOVE
        SPLICE_F_NONBLOCK
    ssize_t splice(int, void *, int, void *, size_t, unsigned int)
cdef extern from "unistd.h" nogil:
    int pipe2(int *, int)

cdef enum:
    KEPT = 32               # free pipes

cdef Pipe *free_pipes = NULL
cdef int free_count = 0
cdef int all_count = 0
cdef int most = 512         # in all


def limit(int pipes):
    """Have so many pipes at most from now on."""
    global most
    most = pipes


cdef Pipe *take_pipe() noexcept nogil:
    """An empty pipe, or NULL."""
    global free_pipes, free_count, all_count
    cdef int ends[2]
    cdef Pipe *pipe = free_pipes
    if pipe != NULL:
        free_pipes = pipe.next
        free_count -= 1
        return pipe
    if all_count >= most or pipe2(ends, O_NONBLOCK | O_CLOEXEC) < 0:
        return NULL
    pipe = <Pipe *>malloc(sizeof(Pipe))
    if pipe == NULL:
        close_fd(ends[0])
        close_fd(ends[1])
        return NULL
    pipe.out, pipe.into, pipe.held = ends[0], ends[1], 0
    all_count += 1
    return pipe


cdef void give_pipe(Pipe *pipe) noexcept nogil:
    """Keep it for the next one, unless bytes are left in it or there are enough."""
    global free_pipes, free_count, all_count
    if pipe.held == 0 and free_count < KEPT:
        pipe.next = free_pipes
        free_pipes = pipe
        free_count += 1
        return
    close_fd(pipe.out)
    close_fd(pipe.into)
    free(pipe)
    all_count -= 1


cdef Py_ssize_t fill(Pipe *pipe, int fd, size_t most) noexcept nogil:
    """Take bytes from a socket into the empty pipe: how many; 0: the peer sends no more; -1: nothing now; -2: broken or impossible."""
    cdef ssize_t n
    while True:
        n = splice(fd, NULL, pipe.into, NULL, most, SPLICE_F_MOVE | SPLICE_F_NONBLOCK)
        if n >= 0:
            pipe.held += n
            return n
        if errno != EINTR:
            return -1 if errno == EAGAIN else -2


cdef Py_ssize_t drain(Pipe *pipe, int fd) noexcept nogil:
    """Send what the pipe holds as far as the socket takes it: the bytes left, or -2 when it is broken."""
    cdef ssize_t n
    while pipe.held:
        n = splice(pipe.out, NULL, fd, NULL, pipe.held, SPLICE_F_MOVE | SPLICE_F_NONBLOCK)
        if n > 0:
            pipe.held -= n
        elif n == 0 or errno == EAGAIN:
            break
        elif errno != EINTR:
            return -2
    return <Py_ssize_t>pipe.held

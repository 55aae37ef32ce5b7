# The sockets of a worker: one edge-triggered epoll beneath uvloop, and what it calls back (docs/decisions/0001).
from libc.stdint cimport int64_t, uint32_t
from haystack._fast.net.epoll cimport epoll_event

cdef class Pollable:
    cdef void *before       # neighbours in the poller's list; the list owns one reference to each
    cdef void *behind
    cdef bint open          # stands in that list
    cdef bint queued        # stands in poller.again
    cdef int64_t deadline   # in the poller's milliseconds; 0: none

    cdef int on_deadline(self) except -1
    cdef int on_again(self) except -1
    cdef int on_failure(self) except -1
    cdef int close(self) except -1

cdef class Socket(Pollable):
    cdef Poller poller
    cdef int fd             # -1 once closed
    cdef bint urgent        # its events are handled before the others' of a batch

    cdef int on_event(self, uint32_t events) except -1

cdef class LentSocket(Socket):
    pass

cdef class Poller:
    cdef int fd
    cdef object loop
    cdef object on_error
    cdef void *first
    cdef readonly Py_ssize_t open_sockets
    cdef readonly int64_t kept          # bytes of memory for what clients' sockets have not taken
    cdef int64_t turn       # number of the batch
    cdef int64_t now_ns     # monotonic, read once a batch
    cdef int64_t now        # the same in milliseconds
    cdef list again         # what to call on_again of after this batch
    cdef list deferred_delete   # closed in this batch: events of it may still name them
    cdef bint woken         # uvloop will call run soon
    cdef bint running
    cdef bint called        # uvloop has something to read
    cdef int64_t left       # ns at which run ended last
    cdef bint catching      # a sweep is under way
    cdef int64_t owed       # events that it has still to handle before it looks at deadlines
    cdef int64_t swept      # milliseconds at which it began
    cdef list late          # those whose time was up when they were last looked for, newest first; the rest of them comes next
    cdef object wake_callback

    cdef int batch(self, int patience) except -1
    cdef int end_late(self) except -1
    cdef int find_late(self) except -1
    cdef bint end_found(self, int64_t over) except -1

    cdef void enlist(self, Pollable each) noexcept
    cdef void delist(self, Pollable each) noexcept
    cdef int watch(self, Socket socket, int fd, uint32_t events) except -1
    cdef int rewatch(self, Socket socket, uint32_t events) except -1
    cdef int hand_over(self, Socket old, Socket new, uint32_t events) except -1
    cdef int release(self, Socket socket) except -1
    cdef int later(self, Pollable each) except -1
    cdef int run_again(self) except -1
    cdef int handle(self, epoll_event *events, int count) except -1
    cdef int failed(self, Pollable each, object error) except -1

cdef int64_t clock_ns() noexcept nogil
cdef int64_t wall_ns(int64_t now) noexcept nogil

cdef inline void set_time(Poller poller, int64_t ns) noexcept:
    """It is so late now."""
    poller.now_ns = ns
    poller.now = ns // 1000000

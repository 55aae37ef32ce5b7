# The sockets of a worker: one edge-triggered epoll beneath uvloop, and streams that it calls back (docs/decisions/0001).
from libc.stdint cimport int64_t, uint32_t
from haystack._fast.net.splice cimport Pipe
from haystack._fast.util.buffer cimport Buffer
from haystack._fast.util.linked_list cimport Link

cdef extern from "sys/epoll.h" nogil:
    enum:
        EPOLLIN
        EPOLLERR
        EPOLLHUP
        EPOLLRDHUP

cdef class Stream:
    cdef Poller poller
    cdef void *before       # neighbours in the poller's list of open streams; the list owns one reference to each
    cdef void *behind
    cdef Link link          # among those that rest, those that bytes wait for, or those in an exchange with the same endpoint
    cdef int fd             # -1 once closed
    cdef bint readable      # an edge was seen and not yet read to its end
    cdef bint writable
    cdef bint heeds_room    # is watched for room in its socket
    cdef bint hung_up       # the peer sends no more
    cdef bint last          # what is sent now is the last: its segment waits for the end, which follows at once, and takes that along
    cdef bint urgent        # its events are handled before the others' of a batch
    cdef bint counted       # what it keeps counts in poller.kept
    cdef bint queued        # stands in poller.again
    cdef bint roused        # was taken out of a queue of those who wait for an endpoint, and has not looked for one yet
    cdef bint over          # of a tunnel: nothing more will come
    cdef bint shut          # of a tunnel: nothing more will be sent
    cdef Buffer out         # what the socket did not take yet
    cdef Pipe *pipe         # the same, spliced: goes before what is in out; NULL: nothing
    cdef int64_t written    # bytes given to send so far
    cdef int64_t deadline   # in the poller's milliseconds; 0: none

    cdef int on_event(self, uint32_t events) except -1
    cdef int on_deadline(self) except -1
    cdef int on_again(self) except -1
    cdef int on_failure(self) except -1
    cdef int send(self, const char *data, size_t size) except -1
    cdef int send_both(self, const char *first, size_t first_size, const char *data, size_t size) except -1
    cdef void blocked(self) noexcept
    cdef size_t unsent(self) noexcept
    cdef int64_t acknowledged(self) noexcept
    cdef bint takes(self, int64_t *taken) noexcept
    cdef void shrink(self, size_t most) noexcept
    cdef Py_ssize_t splice_to(self, Stream sink, size_t most) except -3
    cdef int flush(self) except -1
    cdef bint flush_pipe(self) noexcept
    cdef void drop_pipe(self) noexcept
    cdef Py_ssize_t receive(self, char *data, size_t size) noexcept
    cdef int close(self) except -1

cdef class Poller:
    cdef int fd
    cdef object loop
    cdef object on_error
    cdef void *first
    cdef readonly Py_ssize_t open_streams
    cdef readonly int64_t kept          # bytes of memory in which clients' streams keep what their sockets have not taken
    cdef int64_t now        # monotonic milliseconds, read once a batch
    cdef list again         # streams to call on_again of after this batch
    cdef list graveyard     # closed in this batch: events of it may still name them
    cdef bint woken         # uvloop will call run soon
    cdef bint running
    cdef bint called        # uvloop has something to read
    cdef int64_t left       # ns at which run ended last
    cdef bint catching      # a sweep is under way
    cdef int64_t owed       # events that it has still to handle before it looks at deadlines
    cdef int64_t swept      # milliseconds at which it began
    cdef list late          # streams whose time was up when they were last looked for, newest first; the rest of them comes next
    cdef object wake_callback

    cdef int batch(self, int patience) except -1
    cdef int end_late(self) except -1
    cdef int find_late(self) except -1
    cdef bint end_found(self, int64_t over) except -1

    cdef int watch(self, Stream stream, int fd, uint32_t events) except -1
    cdef int rewatch(self, Stream stream, uint32_t events) except -1
    cdef int later(self, Stream stream) except -1
    cdef int run_again(self) except -1
    cdef int handle(self, Stream stream, uint32_t events) except -1
    cdef int failed(self, Stream stream, object error) except -1

cdef int64_t clock_ns() noexcept nogil

cdef inline void mark_readable(Stream stream, uint32_t events) noexcept:
    """What these events say about reading: there is something, or the peer sends no more, which is read as well."""
    if events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR):
        stream.hung_up = stream.readable = True
    if events & EPOLLIN:
        stream.readable = True

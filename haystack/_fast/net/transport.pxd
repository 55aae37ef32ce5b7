# What carries a connection's bytes: the one place that knows recv, send and splice. And what a connection is to it.
from libc.stdint cimport int64_t, uint32_t
from haystack._fast.net.epoll cimport EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLRDHUP
from haystack._fast.net.poller cimport Socket
from haystack._fast.net.splice cimport Pipe
from haystack._fast.util.allocations cimport IS_DEBUG
from haystack._fast.util.buffer cimport Buffer
from haystack._fast.util.linked_list cimport Link

cdef enum ConnectionState:
    OPEN = 0            # idle, or in as many exchanges as it can carry
    DRAINING            # its last bytes go out, then it ends
    LINGERING           # all is said; what the client still sends is read and dropped
    CLOSED

cdef int check_step(ConnectionState before, ConnectionState after) except -1

cdef inline ConnectionState step(ConnectionState before, ConnectionState after) except? ConnectionState.OPEN:
    """The state that follows. Which one may, is checked in the debug build."""
    if IS_DEBUG:
        check_step(before, after)
    return after

cdef class Transport(Socket):
    cdef Connection owner   # None once closed
    cdef bint readable      # an edge was seen and not yet read to its end
    cdef bint writable
    cdef bint heeds_room    # is watched for room in its socket
    cdef bint hung_up       # the peer sends no more
    cdef bint last          # what is sent now is the last: its segment waits for the end, which follows at once, and takes that along
    cdef bint counted       # what it keeps counts in poller.kept
    cdef bint over          # of a tunnel: nothing more will come
    cdef bint shut          # of a tunnel: nothing more will be sent
    cdef bint sealed        # its bytes are not those of the socket: nothing is spliced to it
    cdef Buffer out         # what the socket did not take yet
    cdef Pipe *pipe         # the same, spliced: goes before what is in out; NULL: nothing
    cdef int64_t written    # bytes given to send so far

    cdef int send(self, const char *data, size_t size) except -1
    cdef int send_both(self, const char *first, size_t first_size, const char *data, size_t size) except -1
    cdef void blocked(self) noexcept
    cdef size_t unsent(self) noexcept
    cdef int64_t acknowledged(self) noexcept
    cdef bint takes(self, int64_t *taken) noexcept
    cdef void shrink(self, size_t most) noexcept
    cdef Py_ssize_t splice_to(self, Transport sink, size_t most) except -3
    cdef int flush(self) except -1
    cdef bint flush_pipe(self) noexcept
    cdef void drop_pipe(self) noexcept
    cdef Py_ssize_t receive(self, char *data, size_t size) noexcept
    cdef bint holds(self) noexcept
    cdef bint is_empty(self) noexcept
    cdef bint is_still(self) noexcept
    cdef int64_t given(self) noexcept
    cdef bint say_end(self) noexcept
    cdef int end_output(self) noexcept
    cdef void reset_at_close(self) noexcept

cdef class Connection:
    cdef Transport transport
    cdef ConnectionState state
    cdef Link link          # among those that rest, or those that bytes wait for

    cdef int on_hello(self) except -1
    cdef int on_secure(self) except -1
    cdef bint asks_name(self) noexcept
    cdef bint on_name(self, bytes name, size_t size) except -1
    cdef int on_insecure(self, const char *error) except -1
    cdef int on_event(self, uint32_t events) except -1
    cdef int on_deadline(self) except -1
    cdef int on_again(self) except -1
    cdef int on_failure(self) except -1
    cdef void on_blocked(self) noexcept
    cdef int on_closed(self) except -1
    cdef int close(self) except -1

cdef Transport replaced(Transport old)

cdef inline void mark_readable(Transport transport, uint32_t events) noexcept:
    """What these events say about reading: there is something, or the peer sends no more, which is read as well."""
    if events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR):
        transport.hung_up = transport.readable = True
    if events & EPOLLIN:
        transport.readable = True

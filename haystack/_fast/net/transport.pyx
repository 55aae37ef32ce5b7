"""A connection's bytes, in and out: a plain TCP or unix socket. Bytes are sent to the kernel at once; those that it does not take are kept.

Each transport has one owner, a connection, which is told what happens. Never parses, never routes.
"""
from libc.errno cimport EAGAIN, EINTR, errno
from libc.string cimport memset

from haystack._fast.net.epoll cimport EPOLL_CTL_MOD, EPOLLET, EPOLLOUT, epoll_ctl, epoll_event
from haystack._fast.net.splice cimport drain, fill, give_pipe, take_pipe
from haystack._fast.net.tcp cimport unacknowledged
from haystack._fast.util.buffer cimport add, pending, release, take
from haystack._fast.util.linked_list cimport leave

cdef extern from "sys/socket.h" nogil:
    enum:
        SHUT_WR
        MSG_NOSIGNAL
        MSG_MORE
        MSG_PEEK
        MSG_DONTWAIT
        SOL_SOCKET
        SO_LINGER
    struct linger:
        int l_onoff
        int l_linger
    int setsockopt(int, int, int, const void *, unsigned int)
    int shutdown(int, int)
    ssize_t recv(int, void *, size_t, int)
    struct iovec:
        void *iov_base
        size_t iov_len
    struct msghdr:
        iovec *msg_iov
        size_t msg_iovlen
    ssize_t send(int, const void *, size_t, int)
    ssize_t sendmsg(int, const msghdr *, int)

cdef int[4] FOLLOWING = [
    1 << ConnectionState.DRAINING | 1 << ConnectionState.LINGERING | 1 << ConnectionState.CLOSED,   # OPEN: LINGERING with HTTP/2
    1 << ConnectionState.LINGERING | 1 << ConnectionState.CLOSED,       # DRAINING
    1 << ConnectionState.CLOSED,                                        # LINGERING
    0,                                                                  # CLOSED
]


cdef int check_step(ConnectionState before, ConnectionState after) except -1:
    """AssertionError: no such transition. docs/architecture.md draws the table."""
    if not FOLLOWING[<int>before] >> <int>after & 1:
        raise AssertionError(f"a connection does not go from state {<int>before} to {<int>after}")
    return 0


cdef class Transport(Socket):
    """One non-blocking socket and its unsent bytes."""

    def __dealloc__(self):
        release(&self.out)
        self.drop_pipe()

    cdef int on_event(self, uint32_t events) except -1:
        return self.owner.on_event(events)

    cdef int on_deadline(self) except -1:
        return self.owner.on_deadline()

    cdef int on_again(self) except -1:
        return self.owner.on_again()

    cdef int on_failure(self) except -1:
        return self.owner.on_failure()

    cdef void drop_pipe(self) noexcept:
        if self.pipe != NULL:
            give_pipe(self.pipe)
            self.pipe = NULL

    cdef int send(self, const char *data, size_t size) except -1:
        """Send now, or keep what the socket does not take. A dead peer is noticed by its event, not here."""
        cdef ssize_t n = 0
        cdef size_t before
        if self.fd < 0:
            return 0
        self.written += <int64_t>size
        if self.writable and self.unsent() == 0:
            n = send(self.fd, data, size, MSG_NOSIGNAL | (MSG_MORE if self.last else 0))
            while n < 0 and errno == EINTR:
                n = send(self.fd, data, size, MSG_NOSIGNAL | (MSG_MORE if self.last else 0))
            if n == <ssize_t>size:
                return 0
            if n < 0:
                if errno != EAGAIN:
                    return 0            # the event with EPOLLERR or EPOLLHUP follows and ends the exchange
                n = 0
            self.blocked()
        before = self.out.capacity
        add(&self.out, data + n, size - n)
        if self.counted:
            self.poller.kept += <int64_t>(self.out.capacity - before)
        return 0

    cdef void blocked(self) noexcept:
        """The socket takes no more for now. Only from here on it is watched for that.

        As a rule it takes bytes at once, and a watch from the beginning would wake the worker for each new client before it has sent any.
        """
        cdef epoll_event event
        self.writable = False
        if self.owner is not None:
            self.owner.on_blocked()
        if not self.heeds_room and self.fd >= 0:
            self.heeds_room = True
            event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET
            event.data.ptr = <void *>self
            epoll_ctl(self.poller.fd, EPOLL_CTL_MOD, self.fd, &event)      # tells of room that there is by now, too

    cdef int send_both(self, const char *first, size_t first_size, const char *data, size_t size) except -1:
        """Send two runs of bytes as one."""
        cdef iovec parts[2]
        cdef msghdr message
        cdef ssize_t n
        if not self.writable or self.unsent() or first_size == 0 or self.fd < 0:
            if first_size:
                self.send(first, first_size)
            return self.send(data, size)
        memset(&message, 0, sizeof(message))
        parts[0].iov_base = <void *>first
        parts[0].iov_len = first_size
        parts[1].iov_base = <void *>data
        parts[1].iov_len = size
        message.msg_iov = parts
        message.msg_iovlen = 2
        n = sendmsg(self.fd, &message, MSG_NOSIGNAL)
        if n < <ssize_t>first_size:
            if n > 0:
                self.written += n
            n = max(n, 0)
            self.send(first + n, first_size - n)
            return self.send(data, size)
        self.written += n
        n -= first_size
        return 0 if n == <ssize_t>size else self.send(data + n, size - n)

    cdef size_t unsent(self) noexcept:
        """Bytes that the socket did not take yet."""
        return pending(&self.out) + (self.pipe.held if self.pipe != NULL else 0)

    cdef int64_t acknowledged(self) noexcept:
        """Bytes that the other side's kernel has acknowledged; where the socket can't tell, those that ours has taken."""
        return self.written - <int64_t>self.unsent() - unacknowledged(self.fd)

    cdef bint takes(self, int64_t *taken) noexcept:
        """Whether the other side is taking what was sent still, and has taken more than `taken`, which is set anew.

        Our own kernel tells of room by megabytes, which may be minutes apart.
        """
        cdef int64_t before = taken[0]
        taken[0] = self.acknowledged()
        return before < taken[0] < self.written

    cdef Py_ssize_t splice_to(self, Transport sink, size_t most) except -3:
        """Move bytes to sink, which has nothing unsent: how many; 0: the peer sends no more; -1: nothing now; -2: read instead."""
        cdef Py_ssize_t n
        if sink.sealed:
            return -2
        if sink.pipe == NULL:
            sink.pipe = take_pipe()
            if sink.pipe == NULL:
                return -2
        n = fill(sink.pipe, self.fd, most)
        if n > 0:
            sink.written += n
            sink.flush_pipe()
            return n
        give_pipe(sink.pipe)
        sink.pipe = NULL
        if n > -2:
            self.readable = False
            self.hung_up = self.hung_up or n == 0
        return n

    cdef bint flush_pipe(self) noexcept:
        """Send what is in the pipe; True: nothing is left there."""
        cdef Py_ssize_t left
        if self.pipe == NULL:
            return True
        left = drain(self.pipe, self.fd)
        if left > 0:
            self.blocked()
            return False
        self.writable = left == 0
        give_pipe(self.pipe)            # a dead peer is noticed by its event, not here
        self.pipe = NULL
        return True

    cdef int flush(self) except -1:
        """Send what was kept, as far as the socket takes it."""
        cdef ssize_t n
        if not self.flush_pipe():
            return 0
        while pending(&self.out) and self.fd >= 0:
            n = send(self.fd, self.out.data + self.out.start, pending(&self.out), MSG_NOSIGNAL)
            if n < 0:
                if errno == EINTR:
                    continue
                self.blocked()
                return 0
            take(&self.out, <size_t>n)
        self.writable = True
        self.shrink(65536)
        return 0

    cdef void shrink(self, size_t most) noexcept:
        """Where nothing is kept, keep no more memory than that for it either."""
        if self.out.capacity > most and pending(&self.out) == 0:
            if self.counted:
                self.poller.kept -= <int64_t>self.out.capacity
            release(&self.out)

    cdef bint holds(self) noexcept:
        """Whether something has come that `receive` can't tell yet: half a record of TLS."""
        return False

    cdef bint is_empty(self) noexcept:
        """Whether no byte is in the socket that was not read."""
        cdef char byte
        return recv(self.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0

    cdef bint is_still(self) noexcept:
        """Whether nothing has come that is to be read: no byte, and no end."""
        cdef char byte
        return recv(self.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 and errno == EAGAIN

    cdef int64_t given(self) noexcept:
        """Bytes that were given to the socket so far, where none are kept."""
        return self.written

    cdef Py_ssize_t receive(self, char *data, size_t size) noexcept:
        """Bytes read; 0: the peer sends no more; -1: nothing now; -2: the connection is broken."""
        cdef ssize_t n
        while True:
            n = recv(self.fd, data, size, 0)
            if n > 0:
                # a short read emptied the socket: the next bytes make a new edge (epoll(7)), unless the end is there already
                if <size_t>n < size and not self.hung_up:
                    self.readable = False
                return n
            if n == 0:
                self.hung_up = True
                self.readable = False
                return 0
            if errno == EINTR:
                continue
            self.readable = False
            return -1 if errno == EAGAIN else -2

    cdef bint say_end(self) noexcept:
        """Say within the stream that this was all, where that is usual; False: there is no room, and `unsent` and `flush` know of it."""
        return True

    cdef int end_output(self) noexcept:
        """Say that nothing more will be sent, behind all that was."""
        return shutdown(self.fd, SHUT_WR)

    cdef void reset_at_close(self) noexcept:
        """Have the close reset the connection: our kernel forgets what it has not sent, and the other side can't take that for an end."""
        cdef linger at_once
        at_once.l_onoff = 1
        at_once.l_linger = 0
        if self.fd >= 0:
            setsockopt(self.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once))

    cdef int close(self) except -1:
        """Close the socket. Its owner lives on to the end of the batch, too."""
        cdef Connection owner = self.owner
        if self.fd < 0:
            return 0
        if self.counted:
            self.poller.kept -= <int64_t>self.out.capacity
        release(&self.out)
        self.drop_pipe()
        self.poller.deferred_delete.append(owner)
        self.owner = None               # else each would keep the other
        Socket.close(self)
        return owner.on_closed()


cdef class Connection:
    """A transport and the codec that speaks on it. Base of those of each protocol and side."""

    def __cinit__(self):
        self.link.owner = <void *>self

    cdef int on_hello(self) except -1:
        """Its transport's handshake begins, where it has one. Till `on_secure` nothing else is told."""
        return 0

    cdef int on_secure(self) except -1:
        """That handshake is done."""
        return 0

    cdef bint asks_name(self) noexcept:
        """Whether it is to be told which name a hello asks for before that is read."""
        return False

    cdef bint on_name(self, bytes name, size_t size) except -1:
        """A hello of so many bytes, not read yet, asks for this name. True: the owner has another transport for its socket from here on."""
        return False

    cdef int on_insecure(self, const char *error) except -1:
        """That handshake has failed. error: a word of RFC 9209, section 2.3."""
        return self.close()

    cdef int on_event(self, uint32_t events) except -1:
        raise NotImplementedError

    cdef int on_deadline(self) except -1:
        return self.close()

    cdef int on_again(self) except -1:
        return 0

    cdef int on_failure(self) except -1:
        return self.close()

    cdef void on_blocked(self) noexcept:
        """Its transport takes no more for now."""

    cdef int on_closed(self) except -1:
        """Its transport has been closed, by whomever."""
        leave(&self.link)
        self.state = step(self.state, ConnectionState.CLOSED)
        return 0

    cdef int close(self) except -1:
        return self.transport.close()


cdef Transport replaced(Transport old):
    """A plain transport in the place of one that has neither read nor written anything: with its socket, and for its owner."""
    cdef Transport made = Transport()
    cdef Connection owner = old.owner
    made.hung_up, made.counted = old.hung_up, old.counted
    old.owner = None
    made.owner = owner
    owner.transport = made
    old.poller.hand_over(old, made, EPOLLIN | EPOLLRDHUP | EPOLLET)
    made.readable = made.writable = True
    return made

"""A worker's sockets: one edge-triggered epoll that uvloop watches as a single descriptor.

Why not uvloop's transports: they cost a Python call, a bytes object and a queue a read or write, and hold on to buffers that are lent to
them. Here a ready socket is a C call, a write goes to the kernel at once, and nothing is lent. Never parses, never routes.
"""
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.errno cimport EAGAIN, EINTR, errno
from libc.string cimport memset
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec
from posix.unistd cimport close as close_fd

from haystack._fast.net.splice cimport drain, fill, give_pipe, take_pipe
from haystack._fast.net.tcp cimport unacknowledged
from haystack._fast.util.allocations cimport IS_DEBUG, Asset, book
from haystack._fast.util.buffer cimport add, pending, release, take
from haystack._fast.util.linked_list cimport leave

cdef extern from "sys/epoll.h" nogil:
    enum:
        EPOLL_CLOEXEC
        EPOLL_CTL_ADD
        EPOLL_CTL_MOD
        EPOLLOUT
        EPOLLET
    ctypedef union epoll_data_t:
        void *ptr
    struct epoll_event:
        uint32_t events
        epoll_data_t data
    int epoll_create1(int)
    int epoll_ctl(int, int, int, epoll_event *)
    int epoll_wait(int, epoll_event *, int, int)

cdef extern from "sys/socket.h" nogil:
    enum:
        MSG_NOSIGNAL
        MSG_MORE
    ssize_t recv(int, void *, size_t, int)
    struct iovec:
        void *iov_base
        size_t iov_len
    struct msghdr:
        iovec *msg_iov
        size_t msg_iovlen
    ssize_t send(int, const void *, size_t, int)
    ssize_t sendmsg(int, const msghdr *, int)

cdef enum:
    BATCH = 256
    SOON_NS = 300000        # who is called back sooner than this is busy, and
    STAY_NS = 2000000       # stays in its own epoll for so long at most,
    PATIENCE_MS = 1         # and for so long without an event
    TURN_NS = 5000000       # for which a sweep goes on before others have their turn
    LOOKED = 64             # streams whose time is up, between two looks at the clock


cdef int64_t clock_ns() noexcept nogil:
    cdef timespec t
    clock_gettime(CLOCK_MONOTONIC, &t)
    return <int64_t>t.tv_sec * 1000000000 + t.tv_nsec


cdef class Stream:
    """One non-blocking socket. Subclasses say what its events mean; it owns the descriptor and the unsent bytes."""

    def __cinit__(self):
        self.fd = -1
        self.link.owner = <void *>self
        if IS_DEBUG:
            book(Asset.STREAM, 1)

    def __dealloc__(self):
        if IS_DEBUG:
            book(Asset.STREAM, -1)
        release(&self.out)
        self.drop_pipe()
        if self.fd >= 0:
            close_fd(self.fd)

    cdef void drop_pipe(self) noexcept:
        if self.pipe != NULL:
            give_pipe(self.pipe)
            self.pipe = NULL

    cdef int on_event(self, uint32_t events) except -1:
        return 0

    cdef int on_deadline(self) except -1:
        return self.close()

    cdef int on_again(self) except -1:
        return 0

    cdef int on_failure(self) except -1:
        """An exception came out of it: end what it was part of."""
        return self.close()

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
        """The socket takes no more for now. Only from here on it is watched for that: as a rule it takes bytes at once, and a watch from
        the beginning would wake the worker for each new client before it has sent anything.
        """
        cdef epoll_event event
        self.writable = False
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

    cdef Py_ssize_t splice_to(self, Stream sink, size_t most) except -3:
        """Move bytes to sink, which has nothing unsent: how many; 0: the peer sends no more; -1: nothing now; -2: read instead."""
        cdef Py_ssize_t n
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

    cdef int close(self) except -1:
        """Close the socket; the object lives on to the end of the batch, for events that name it already."""
        cdef Poller poller = self.poller
        if self.fd < 0:
            return 0
        close_fd(self.fd)
        self.fd = -1
        self.deadline = 0
        leave(&self.link)
        if self.counted:
            poller.kept -= <int64_t>self.out.capacity
        release(&self.out)
        self.drop_pipe()
        if self.before != NULL:
            (<Stream>self.before).behind = self.behind
        else:
            poller.first = self.behind
        if self.behind != NULL:
            (<Stream>self.behind).before = self.before
        self.before = self.behind = NULL
        poller.open_streams -= 1
        poller.graveyard.append(self)
        Py_DECREF(self)                 # the list's reference; the graveyard has its own
        return 0


cdef class Poller:
    """All streams of one worker. Runs inside uvloop's loop; every exception of a stream closes that stream alone."""

    def __init__(self, loop, on_error):
        self.fd = epoll_create1(EPOLL_CLOEXEC)
        if self.fd < 0:
            raise OSError(errno, "epoll_create1")
        self.loop = loop
        self.on_error = on_error
        self.again = []
        self.graveyard = []
        self.late = []
        self.now = clock_ns() // 1000000
        self.wake_callback = self.run
        loop.add_reader(self.fd, self.wake_callback)

    def stop(self):
        """Close every stream and the epoll."""
        cdef Stream stream
        if self.fd < 0:
            return
        self.loop.remove_reader(self.fd)
        while self.first != NULL:
            stream = <Stream>self.first
            stream.close()
        self.graveyard.clear()
        self.again.clear()
        self.late.clear()
        close_fd(self.fd)
        self.fd = -1
        self.wake_callback = None

    cdef int watch(self, Stream stream, int fd, uint32_t events) except -1:
        """Watch fd for stream, which owns the descriptor from here on, also when this fails."""
        cdef epoll_event event
        stream.poller = self
        stream.fd = fd
        event.events = events
        event.data.ptr = <void *>stream
        Py_INCREF(stream)
        stream.before = NULL
        stream.behind = self.first
        if self.first != NULL:
            (<Stream>self.first).before = <void *>stream
        self.first = <void *>stream
        self.open_streams += 1
        if epoll_ctl(self.fd, EPOLL_CTL_ADD, fd, &event) < 0:
            stream.close()
            raise OSError(errno, "epoll_ctl")
        return 0

    cdef int rewatch(self, Stream stream, uint32_t events) except -1:
        """Watch for other events from now on."""
        cdef epoll_event event
        event.events = events
        event.data.ptr = <void *>stream
        if epoll_ctl(self.fd, EPOLL_CTL_MOD, stream.fd, &event) < 0:
            raise OSError(errno, "epoll_ctl")
        return 0

    cdef int later(self, Stream stream) except -1:
        """Call stream.on_again once this batch is done: keeps one busy stream from starving the rest."""
        if not stream.queued:
            stream.queued = True
            self.again.append(stream)
            if not self.running and not self.woken:
                self.woken = True
                self.loop.call_soon(self.wake_callback)
        return 0

    def heed(self, int fd):
        """Go back to uvloop at once whenever there is something to read from fd, which is uvloop's to read."""
        cdef epoll_event event
        event.events = EPOLLIN
        event.data.ptr = NULL
        if epoll_ctl(self.fd, EPOLL_CTL_ADD, fd, &event) < 0:
            raise OSError(errno, "epoll_ctl")

    def run(self):
        """Handle ready sockets: a batch, or while many come one batch after another, as each way through uvloop costs what a read does."""
        cdef int64_t began = clock_ns()
        cdef bint busy = began - self.left < SOON_NS
        cdef int count
        self.called = self.woken = False
        self.running = True
        self.now = began // 1000000
        count = self.batch(0)
        while busy and (count or self.again) and not self.called and clock_ns() - began < STAY_NS:
            count = self.batch(0 if self.again else PATIENCE_MS)
        self.running = False
        if self.again:
            self.woken = True
            self.loop.call_soon(self.wake_callback)
        self.left = clock_ns()

    cdef int batch(self, int patience) except -1:
        """Wait so many milliseconds at most for ready sockets, and handle them; how many there were."""
        cdef epoll_event events[BATCH]
        cdef int i, count
        if patience:
            with nogil:
                count = epoll_wait(self.fd, events, BATCH, patience)
            self.now = clock_ns() // 1000000
        else:
            count = epoll_wait(self.fd, events, BATCH, 0)
        self.owed -= count if count == BATCH else self.owed
        for i in range(count):
            if events[i].data.ptr == NULL:
                self.called = True
            elif (<Stream>events[i].data.ptr).urgent:
                self.handle(<Stream>events[i].data.ptr, events[i].events)
        for i in range(count):                      # they are alive, if closed: the graveyard has them
            if events[i].data.ptr != NULL and not (<Stream>events[i].data.ptr).urgent:
                self.handle(<Stream>events[i].data.ptr, events[i].events)
        if self.again:
            self.run_again()
        if self.graveyard:
            self.graveyard.clear()
        return max(count, 0)

    cdef int handle(self, Stream stream, uint32_t events) except -1:
        if stream.fd >= 0:
            try:
                stream.on_event(events)
            except Exception as error:
                self.failed(stream, error)
        return 0

    cdef int failed(self, Stream stream, object error) except -1:
        """An exception came out of a stream: a bug, or no memory. It ends what it was part of, and no more."""
        try:
            stream.on_failure()
        except Exception:
            stream.close()
        self.on_error(error)
        return 0

    cdef int run_again(self) except -1:
        cdef list batch = self.again
        cdef Stream stream
        self.again = []
        for stream in batch:
            stream.queued = False
            if stream.fd < 0:
                continue
            try:
                stream.on_again()
            except Exception as error:
                self.failed(stream, error)
        return 0

    def sweep(self):
        """Call on_deadline of every stream whose time is up; True: all that had come by then was handled before.

        Where this process was held up, nobody else is late: so one event of each stream, as many as there are, comes first. The kernel
        hands them out in turns, and after so many nothing is left of what there was. That may take longer than others should wait (the
        control process's messages, the heartbeat): it goes on with the next call then, and deadlines wait for it. Those have as much
        time again. A walk over 10,000 streams takes well under a millisecond.
        """
        cdef int64_t began = clock_ns()
        self.now = began // 1000000     # also where it goes on: what is handled now is given its time from now on
        if not self.catching:
            self.catching = True
            self.swept = self.now
            self.owed = self.open_streams + self.open_streams // 8 + BATCH   # listeners, and what uvloop reads, come with each batch
        while self.owed > 0:
            self.batch(0)
            if self.owed > 0 and clock_ns() - began > TURN_NS:
                return False
        self.catching = False
        self.end_late()
        self.graveyard.clear()
        return True

    cdef int end_late(self) except -1:
        """Call on_deadline of those whose time was up when the sweep began: for so long, the rest with the next sweep.

        Deadlines have a time slice of their own, however long the events took. Streams that were late at the last call come first:
        otherwise a steady supply of newly late ones would starve them.
        """
        cdef int64_t began = clock_ns()
        self.now = began // 1000000
        if self.end_found(began + TURN_NS):
            self.find_late()
            self.end_found(began + TURN_NS)
        return 0

    cdef int find_late(self) except -1:
        cdef void *at = self.first
        cdef Stream stream
        while at != NULL:
            stream = <Stream>at
            at = stream.behind
            if stream.deadline and stream.deadline <= self.swept:
                self.late.append(stream)
        return 0

    cdef bint end_found(self, int64_t over) except -1:
        """Call on_deadline of those that were found late and are still; False: the time was over before all had their turn."""
        cdef Stream stream
        cdef int done = 0
        while self.late:
            if done == LOOKED:
                if clock_ns() > over:
                    return False
                done = 0
            done += 1
            stream = self.late.pop()    # the oldest
            if stream.fd >= 0 and stream.deadline and stream.deadline <= self.swept:
                try:
                    stream.on_deadline()
                except Exception as error:
                    self.failed(stream, error)
        return True

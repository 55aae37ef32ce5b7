"""A worker's sockets: one edge-triggered epoll that uvloop watches as a single descriptor.

Why not uvloop's transports: they cost a Python call, a bytes object and a queue a read or write, and hold on to buffers that are lent to
them. Here a ready socket is a C call. Never reads, never writes: transport.pyx does.
"""
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.errno cimport errno
from posix.time cimport CLOCK_MONOTONIC, CLOCK_REALTIME, clock_gettime, timespec
from posix.unistd cimport close as close_fd

from haystack._fast.net.epoll cimport (
    EPOLL_CLOEXEC, EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD, EPOLLIN, epoll_create1, epoll_ctl, epoll_wait,
)
from haystack._fast.util.allocations cimport IS_DEBUG, Asset, book

cdef enum:
    BATCH = 256
    SOON_NS = 300000        # who is called back sooner than this is busy, and
    STAY_NS = 2000000       # stays in its own epoll for so long at most,
    PATIENCE_MS = 1         # and for so long without an event
    TURN_NS = 5000000       # for which a sweep goes on before others have their turn
    LOOKED = 64             # of those whose time is up, between two looks at the clock
    LOOK_NS = 100000000     # between two looks at the clock on the wall


cdef int64_t clock_ns() noexcept nogil:
    cdef timespec t
    clock_gettime(CLOCK_MONOTONIC, &t)
    return <int64_t>t.tv_sec * 1000000000 + t.tv_nsec


cdef int64_t ahead = 0          # nanoseconds of Unix time at the poller's zero, and
cdef int64_t looked = -LOOK_NS  # when that was looked at


cdef int64_t wall_ns(int64_t now) noexcept nogil:
    """Unix time at `now` of clock_ns. A clock that somebody sets is followed within a tenth of a second."""
    global ahead, looked
    cdef timespec t
    if not 0 <= now - looked < LOOK_NS:
        clock_gettime(CLOCK_REALTIME, &t)
        looked = clock_ns()
        ahead = <int64_t>t.tv_sec * 1000000000 + t.tv_nsec - looked
    return now + ahead


cdef class Pollable:
    """Something that a poller calls back: a socket, or what waits for a time. Subclasses say what that means."""

    cdef int on_deadline(self) except -1:
        """Its time is up."""
        return self.close()

    cdef int on_again(self) except -1:
        """The batch in which it asked for this has been handled."""
        return 0

    cdef int on_failure(self) except -1:
        """An exception came out of it: end what it was part of."""
        return self.close()

    cdef int close(self) except -1:
        raise NotImplementedError


cdef class Socket(Pollable):
    """A descriptor that a poller watches, and its owner. Closed, it lives on to the end of the batch, for events that name it already."""

    def __cinit__(self):
        self.fd = -1
        if IS_DEBUG:
            book(Asset.SOCKET, 1)

    def __dealloc__(self):
        if IS_DEBUG:
            book(Asset.SOCKET, -1)
        if self.fd >= 0:
            close_fd(self.fd)

    cdef int on_event(self, uint32_t events) except -1:
        return 0

    cdef int close(self) except -1:
        cdef Poller poller = self.poller
        if self.fd < 0:
            return 0
        close_fd(self.fd)
        self.fd = -1
        self.deadline = 0
        poller.open_sockets -= 1
        poller.deferred_delete.append(self)
        poller.delist(self)
        return 0


cdef class LentSocket(Socket):
    """A socket that other processes have too: it stays open there, and would go on telling of what comes."""

    cdef int close(self) except -1:
        if self.fd >= 0:
            epoll_ctl(self.poller.fd, EPOLL_CTL_DEL, self.fd, NULL)
        return Socket.close(self)


cdef class Poller:
    """All sockets of one worker, and what waits for a time, inside uvloop's loop. An exception ends what it came out of, and no more."""

    def __init__(self, loop, on_error):
        self.fd = epoll_create1(EPOLL_CLOEXEC)
        if self.fd < 0:
            raise OSError(errno, "epoll_create1")
        self.loop = loop
        self.on_error = on_error
        self.again = []
        self.deferred_delete = []
        self.late = []
        set_time(self, clock_ns())
        self.wake_callback = self.run
        loop.add_reader(self.fd, self.wake_callback)

    def stop(self):
        """Close everything, and the epoll."""
        cdef Pollable each
        if self.fd < 0:
            return
        self.loop.remove_reader(self.fd)
        while self.first != NULL:
            each = <Pollable>self.first
            each.close()
        self.deferred_delete.clear()
        self.again.clear()
        self.late.clear()
        close_fd(self.fd)
        self.fd = -1
        self.wake_callback = None

    cdef void enlist(self, Pollable each) noexcept:
        """Look at its deadline with each sweep from now on."""
        Py_INCREF(each)
        each.open = True
        each.before = NULL
        each.behind = self.first
        if self.first != NULL:
            (<Pollable>self.first).before = <void *>each
        self.first = <void *>each

    cdef void delist(self, Pollable each) noexcept:
        """No more of that. Gives up the list's reference: who calls this has another one."""
        each.open = False
        if each.before != NULL:
            (<Pollable>each.before).behind = each.behind
        else:
            self.first = each.behind
        if each.behind != NULL:
            (<Pollable>each.behind).before = each.before
        each.before = each.behind = NULL
        Py_DECREF(each)

    cdef int watch(self, Socket socket, int fd, uint32_t events) except -1:
        """Watch fd for this socket, which owns the descriptor from here on, also when this fails."""
        cdef epoll_event event
        socket.poller = self
        socket.fd = fd
        event.events = events
        event.data.ptr = <void *>socket
        self.enlist(socket)
        self.open_sockets += 1
        if epoll_ctl(self.fd, EPOLL_CTL_ADD, fd, &event) < 0:
            socket.close()
            raise OSError(errno, "epoll_ctl")
        return 0

    cdef int rewatch(self, Socket socket, uint32_t events) except -1:
        """Watch for other events from now on."""
        cdef epoll_event event
        event.events = events
        event.data.ptr = <void *>socket
        if epoll_ctl(self.fd, EPOLL_CTL_MOD, socket.fd, &event) < 0:
            raise OSError(errno, "epoll_ctl")
        return 0

    cdef int release(self, Socket socket) except -1:
        """Watch it no more, and leave its descriptor, which is somebody else's from here on, open: that descriptor."""
        cdef int fd = socket.fd
        epoll_ctl(self.fd, EPOLL_CTL_DEL, fd, NULL)
        socket.fd = -1
        socket.deadline = 0
        self.open_sockets -= 1
        self.deferred_delete.append(socket)
        self.delist(socket)
        return fd

    cdef int hand_over(self, Socket old, Socket new, uint32_t events) except -1:
        """Give the descriptor of one socket to another, which is told of what has come already."""
        return self.watch(new, self.release(old), events)

    cdef int later(self, Pollable each) except -1:
        """Call its on_again once this batch is done: keeps one that is busy from starving the rest."""
        if not each.queued:
            each.queued = True
            self.again.append(each)
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
        set_time(self, began)
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
        cdef int count
        self.turn += 1
        if patience:
            with nogil:
                count = epoll_wait(self.fd, events, BATCH, patience)
            set_time(self, clock_ns())
        else:
            count = epoll_wait(self.fd, events, BATCH, 0)
        self.owed -= count if count == BATCH else self.owed
        if count > 0:
            self.handle(events, count)
        if self.again:
            self.run_again()
        if self.deferred_delete:
            self.deferred_delete.clear()
        return max(count, 0)

    cdef int handle(self, epoll_event *events, int count) except -1:
        """Handle those of urgent sockets, then the others. All are alive, if closed: deferred_delete has them."""
        cdef void *at = NULL
        cdef int seen = 0, others = 0, done = 0     # the others move to the front, and wait there for their turn
        while seen < count or done < others:
            try:                        # around them all, for an exception is rare
                while seen < count:
                    at = events[seen].data.ptr
                    seen += 1
                    if at == NULL:
                        self.called = True
                    elif not (<Socket>at).urgent:
                        events[others] = events[seen - 1]
                        others += 1
                    elif (<Socket>at).fd >= 0:
                        (<Socket>at).on_event(events[seen - 1].events)
                while done < others:
                    at = events[done].data.ptr
                    done += 1
                    if (<Socket>at).fd >= 0:
                        (<Socket>at).on_event(events[done - 1].events)
            except Exception as error:
                self.failed(<Socket>at, error)
        return 0

    cdef int failed(self, Pollable each, object error) except -1:
        """An exception came out of it: a bug, or no memory. It ends what it was part of, and no more."""
        try:
            if each.open:               # what it was part of may have ended before that
                each.on_failure()
        except Exception as further:
            self.on_error(further)
            try:
                each.close()
            except Exception as last:
                self.on_error(last)
        self.on_error(error)
        return 0

    cdef int run_again(self) except -1:
        cdef list batch = self.again
        cdef Pollable each
        self.again = []
        for each in batch:
            each.queued = False
            if not each.open:
                continue
            try:
                each.on_again()
            except Exception as error:
                self.failed(each, error)
        return 0

    def sweep(self):
        """Call on_deadline of all whose time is up; True: all that had come by then was handled before.

        Where this process was held up, nobody else is late: so one event of each socket, as many as there are, comes first. The kernel
        hands them out in turns, and after so many nothing is left of what there was. That may take longer than others should wait (the
        control process's messages, the heartbeat): it goes on with the next call then, and deadlines wait for it. Those have as much
        time again. A walk over 10,000 of them takes well under a millisecond.
        """
        cdef int64_t began = clock_ns()
        set_time(self, began)           # also where it goes on: what is handled now is given its time from now on
        if not self.catching:
            self.catching = True
            self.swept = self.now
            self.owed = self.open_sockets + self.open_sockets // 8 + BATCH   # listeners, and what uvloop reads, come with each batch
        while self.owed > 0:
            self.batch(0)
            if self.owed > 0 and clock_ns() - began > TURN_NS:
                return False
        self.catching = False
        self.end_late()
        self.deferred_delete.clear()
        return True

    cdef int end_late(self) except -1:
        """Call on_deadline of those whose time was up when the sweep began: for so long, the rest with the next sweep.

        Deadlines have a time slice of their own, however long the events took. Those late at the last call are ended first:
        otherwise a steady supply of newly late ones would starve them.
        """
        cdef int64_t began = clock_ns()
        set_time(self, began)
        if self.end_found(began + TURN_NS):
            self.find_late()
            self.end_found(began + TURN_NS)
        return 0

    cdef int find_late(self) except -1:
        cdef void *at = self.first
        cdef Pollable each
        while at != NULL:
            each = <Pollable>at
            at = each.behind
            if each.deadline and each.deadline <= self.swept:
                self.late.append(each)
        return 0

    cdef bint end_found(self, int64_t over) except -1:
        """Call on_deadline of those that were found late and are still; False: the time was over before all had their turn."""
        cdef Pollable each
        cdef int done = 0
        while self.late:
            if done == LOOKED:
                if clock_ns() > over:
                    return False
                done = 0
            done += 1
            each = self.late.pop()      # the oldest
            if each.open and each.deadline and each.deadline <= self.swept:
                try:
                    each.on_deadline()
                except Exception as error:
                    self.failed(each, error)
        return True

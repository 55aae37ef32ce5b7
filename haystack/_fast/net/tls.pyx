"""A client's bytes within TLS 1.2 or 1.3: OpenSSL reads and writes the socket, and its owner sees what is within.

Edge-triggered as the plain transport: reading goes on until OpenSSL asks for more bytes of the socket, so that neither its own buffers nor
the socket hold anything then. What OpenSSL did not take is kept, and offered again from its beginning.
"""
from cpython.ref cimport Py_INCREF, Py_XDECREF, PyObject
from libc.errno cimport EAGAIN, EINTR, errno
from libc.stdint cimport int64_t, uint32_t
from libc.string cimport memcpy

from haystack._fast.net.client_certificates cimport described
from haystack._fast.net.openssl cimport *
from haystack._fast.net.tls_server cimport FLOOD, TlsPhase
from haystack._fast.util.allocations cimport IS_DEBUG, Asset, book
from haystack._fast.util.buffer cimport add, pending, take

cdef extern from "sys/epoll.h" nogil:
    enum:
        EPOLLIN
        EPOLLOUT
        EPOLLERR
        EPOLLHUP
        EPOLLRDHUP
cdef extern from "sys/socket.h" nogil:
    enum:
        SHUT_WR
        SHUT_RDWR
        MSG_NOSIGNAL
        MSG_DONTWAIT
        MSG_PEEK
    int shutdown(int, int)
    ssize_t recv(int, void *, size_t, int)
    ssize_t send(int, const void *, size_t, int)

cdef enum:
    RECORD = 16384          # bytes that a record holds (RFC 8446, section 5.1)
    READS = 64              # records at once,
    RECORDS = 256           # and in a turn of the poller: a client may send them with a byte in each
    LINGER_MS = 1000        # that a client has to read why its handshake was refused
    LINGER_BYTES = 65536    # and that it may send meanwhile

cdef char[RECORD] record    # what is put together for one
cdef bytes PLAIN = (
    b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 50\r\n\r\n"
    b"this port speaks HTTPS: ask for it with https://\n\n")


cdef class TlsTransport(Transport):
    """One client of a TlsServer."""

    def __cinit__(self):
        self.sealed = True
        self.name = b""

    def __dealloc__(self):
        self.free()
        Py_XDECREF(<PyObject *>self.tls.client)     # not before: what is told of an exchange that ends with it names the client

    cdef void free(self) noexcept:
        if self.tls.ssl != NULL:
            SSL_free(self.tls.ssl)
            self.tls.ssl = NULL
            if IS_DEBUG:
                book(Asset.TLS, -1)

    # what happens

    cdef int on_event(self, uint32_t events) except -1:
        if self.tls.phase < TlsPhase.SECURE:
            return self.shake(events)
        if self.tls.phase == TlsPhase.REFUSED:
            return self.close() if events & (EPOLLERR | EPOLLHUP) else self.linger()
        if self.tls.read_waits and events & EPOLLOUT:
            self.tls.read_waits = False
            events |= EPOLLIN
        if self.tls.write_waits and events & EPOLLIN:
            self.tls.write_waits = False
            events |= EPOLLOUT
        return self.owner.on_event(events)

    cdef int on_again(self) except -1:
        self.go_on()
        if self.tls.phase == TlsPhase.REFUSED:
            return 0
        return self.step() if self.tls.phase == TlsPhase.HANDSHAKE else self.owner.on_again()

    cdef void go_on(self) noexcept:
        """It is put off no more."""
        if self.tls.put_off:
            self.tls.put_off = False
            self.server.waiting -= 1

    cdef int on_deadline(self) except -1:
        if self.tls.phase == TlsPhase.HANDSHAKE:
            self.server.failed += 1
            return self.close()
        return self.close() if self.tls.phase == TlsPhase.REFUSED else self.owner.on_deadline()

    cdef int begin(self) except -1:
        """The first byte is here: only from now on it costs memory."""
        self.tls.ssl = SSL_new(self.server.context)
        if self.tls.ssl == NULL:
            raise MemoryError
        if IS_DEBUG:
            book(Asset.TLS, 1)
        if not SSL_set_fd(self.tls.ssl, self.fd):
            raise MemoryError
        self.tls.server = <void *>self.server
        SSL_set_app_data(self.tls.ssl, <void *>&self.tls)
        SSL_set_accept_state(self.tls.ssl)
        self.tls.phase = TlsPhase.HANDSHAKE
        self.readable = True            # it is at work: no drain takes it for idle
        return self.owner.on_hello()

    cdef int shake(self, uint32_t events) except -1:
        """Something has come for the handshake: it is the turn of those first that wait already."""
        if events & (EPOLLERR | EPOLLHUP):
            return self.close()
        if events & EPOLLRDHUP:
            self.hung_up = True
        if self.tls.phase == TlsPhase.UNBEGUN:
            if self.hung_up and self.is_empty():
                return self.close()     # as health checks of load balancers do: that is no handshake
            self.begin()
        return self.put_off() if self.server.waiting > 0 else self.step()

    cdef int put_off(self) except -1:
        if not self.tls.put_off:
            self.tls.put_off = True
            self.server.waiting += 1
        return self.poller.later(self)

    cdef int step(self) except -1:
        """The next step of the handshake, if this turn has room for it."""
        cdef int done, problem
        if not self.server.may_step(self.poller.turn):
            return self.put_off()
        ERR_clear_error()
        self.server.found = None
        done = SSL_do_handshake(self.tls.ssl)
        if self.server.found is not None:
            self.credential, self.name = self.server.found, self.server.asked
        if done == 1:
            return self.secured()
        problem = SSL_get_error(self.tls.ssl, done)
        if problem == SSL_ERROR_WANT_WRITE:
            self.blocked()
        elif problem != SSL_ERROR_WANT_READ:
            return self.refused()
        return 0

    cdef int secured(self) except -1:
        """The handshake is done. The first request may be here already."""
        self.tls.phase = TlsPhase.SECURE
        self.writable = True
        if self.credential.proof:
            return self.close()         # the CA has seen what it wants to see (RFC 8737, section 3): that is no traffic
        if self.server.asks and not self.identify():
            return self.refused()
        self.server.handshakes += 1
        self.server.resumed += SSL_session_reused(self.tls.ssl) == 1
        self.owner.on_secure()
        return self.owner.on_event(EPOLLIN | (EPOLLRDHUP if self.hung_up else 0))

    cdef int refused(self) except -1:
        """The handshake has failed: OpenSSL has sent the alert. Who speaks HTTP here is told so.

        With TLS 1.3 a client may have sent its request already, and a close with bytes unread is a reset: it would not see why.
        """
        if ERR_GET_REASON(ERR_peek_error()) == SSL_R_HTTP_REQUEST:
            send(self.fd, <const char *>PLAIN, len(PLAIN), MSG_NOSIGNAL | MSG_DONTWAIT)
        ERR_clear_error()
        self.server.failed += 1
        self.tls.phase = TlsPhase.REFUSED
        self.free()
        shutdown(self.fd, SHUT_WR)
        self.deadline = self.poller.now + LINGER_MS
        return self.linger()

    cdef int linger(self) except -1:
        """Drop what still comes, to its end."""
        cdef ssize_t n
        while self.tls.dropped < LINGER_BYTES:
            n = recv(self.fd, record, RECORD, MSG_DONTWAIT)
            if n < 0 and errno in (EAGAIN, EINTR):
                return 0
            if n <= 0:
                break
            self.tls.dropped += n
        return self.close()

    cdef bint is_empty(self) noexcept:
        """Whether nothing has come."""
        cdef char byte
        return recv(self.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0

    cdef int identify(self) except -1:
        """Read whose certificate it has shown, which is verified; 0: it has none, though it was asked for one."""
        cdef X509 *shown = SSL_get1_peer_certificate(self.tls.ssl)
        if shown == NULL:
            return 0
        try:
            told = described(shown)
        finally:
            X509_free(shown)
        Py_INCREF(told)
        self.tls.client = <void *>told
        return 1

    # bytes

    cdef Py_ssize_t receive(self, char *data, size_t size) noexcept:
        cdef size_t got = 0, n = 0
        cdef int problem, reads = 0
        if self.tls.phase >= TlsPhase.BROKEN or self.tls.ssl == NULL:
            self.readable = False
            return -2
        if self.has_had_its_turn():
            return -1
        while got < size and reads < READS and not self.tls.ended:
            ERR_clear_error()
            if SSL_read_ex(self.tls.ssl, data + got, size - got, &n) == 1:
                got += n
                reads += 1
                self.tls.records += 1
                continue
            problem = SSL_get_error(self.tls.ssl, 0)
            if problem == SSL_ERROR_WANT_READ:
                self.readable = False
                return <Py_ssize_t>got if got else -1
            if problem == SSL_ERROR_WANT_WRITE:
                self.tls.read_waits = True
                self.readable = False
                self.blocked()
                return <Py_ssize_t>got if got else -1
            self.hung_up = True
            if problem == SSL_ERROR_ZERO_RETURN and self.tls.messages <= FLOOD:
                self.tls.ended = True
            else:
                self.tls.phase = TlsPhase.BROKEN        # also an end of TCP alone: anybody may have cut it (RFC 8446, section 6.1)
                break
        if got:
            return <Py_ssize_t>got      # the end is told with the next call
        self.readable = False
        return 0 if self.tls.ended else -2

    cdef bint has_had_its_turn(self) noexcept:
        """Whether so many records were read in this turn of the poller that others come first: it is readable still, and called again."""
        if self.tls.turn != self.poller.turn:
            self.tls.turn, self.tls.records = self.poller.turn, 0
        if self.tls.records < RECORDS:
            return False
        try:
            self.poller.later(self)
        except Exception:
            return False                # no memory for that: it reads on
        return True

    cdef bint holds(self) noexcept:
        return self.tls.ssl != NULL and SSL_has_pending(self.tls.ssl) == 1

    cdef size_t seal(self, const char *data, size_t size) noexcept:
        """Give to OpenSSL what it takes, in full records: how many bytes. All of them where the connection is broken."""
        cdef size_t done = 0, n = 0
        cdef int problem
        if self.tls.phase != TlsPhase.SECURE or self.tls.ssl == NULL:
            return size
        while done < size:
            ERR_clear_error()
            if SSL_write_ex(self.tls.ssl, data + done, size - done, &n) == 1:
                done += n
                continue
            problem = SSL_get_error(self.tls.ssl, 0)
            if problem != SSL_ERROR_WANT_WRITE and problem != SSL_ERROR_WANT_READ:
                self.failed(problem)
                return size
            self.tls.write_waits = problem == SSL_ERROR_WANT_READ
            self.blocked()
            break
        return done

    cdef int failed(self, int problem) noexcept:
        """Writing is not possible any more. Its event ends the exchange: an error of TLS alone makes none by itself."""
        self.tls.phase = TlsPhase.BROKEN
        return shutdown(self.fd, SHUT_RDWR)

    cdef int send(self, const char *data, size_t size) except -1:
        cdef size_t before, done = 0
        if self.fd < 0:
            return 0
        self.written += <int64_t>size
        if self.writable and pending(&self.out) == 0:
            done = self.seal(data, size)
            if done == size:
                return 0
        before = self.out.capacity
        add(&self.out, data + done, size - done)
        if self.counted:
            self.poller.kept += <int64_t>(self.out.capacity - before)
        return 0

    cdef int send_both(self, const char *first, size_t first_size, const char *data, size_t size) except -1:
        """A head goes in one record with what follows it."""
        cdef size_t along
        if first_size == 0 or first_size >= RECORD or pending(&self.out):
            if first_size:
                self.send(first, first_size)
            return self.send(data, size)
        along = min(size, RECORD - first_size)
        memcpy(record, first, first_size)
        memcpy(record + first_size, data, along)
        self.send(record, first_size + along)
        return self.send(data + along, size - along) if along < size else 0

    cdef int flush(self) except -1:
        if pending(&self.out) and self.fd >= 0:
            take(&self.out, self.seal(self.out.data + self.out.start, pending(&self.out)))
            if pending(&self.out):
                return 0
        if self.tls.parting and not self.say_end():
            return 0
        self.writable = True
        self.shrink(65536)
        return 0

    cdef size_t unsent(self) noexcept:
        return pending(&self.out) + self.tls.parting

    cdef Py_ssize_t splice_to(self, Transport sink, size_t most) except -3:
        return -2

    # its end

    cdef bint say_end(self) noexcept:
        """close_notify goes behind all that was sent; without it, whoever cuts the connection could cut a body (RFC 8446, section 6.1)."""
        cdef int done
        if self.tls.phase != TlsPhase.SECURE or self.tls.ssl == NULL or self.tls.torn or (
                SSL_get_shutdown(self.tls.ssl) & SSL_SENT_SHUTDOWN and not self.tls.parting):
            return True
        ERR_clear_error()
        done = SSL_shutdown(self.tls.ssl)
        self.tls.parting = done < 0 and SSL_get_error(self.tls.ssl, done) == SSL_ERROR_WANT_WRITE
        if self.tls.parting:
            self.blocked()
        return not self.tls.parting

    cdef int end_output(self) noexcept:
        self.say_end()
        return shutdown(self.fd, SHUT_WR)

    cdef void reset_at_close(self) noexcept:
        self.tls.torn = True
        Transport.reset_at_close(self)

    cdef int close(self) except -1:
        if self.fd < 0:
            return 0
        if self.tls.phase == TlsPhase.SECURE and not self.tls.torn and pending(&self.out) == 0 and (
                not SSL_get_shutdown(self.tls.ssl) & SSL_SENT_SHUTDOWN):
            ERR_clear_error()
            SSL_shutdown(self.tls.ssl)
        ERR_clear_error()
        self.go_on()
        self.free()
        return Transport.close(self)

"""A transport within TLS 1.2 or 1.3, to a client or an endpoint: OpenSSL reads and writes the socket, and the owner sees the plain bytes.

Edge-triggered as the plain transport: reading goes on until OpenSSL asks for more bytes of the socket, so that neither its own buffers nor
the socket hold anything then. What OpenSSL did not take is kept, and offered again from its beginning.
"""
from cpython.ref cimport Py_XDECREF, PyObject
from libc.stdint cimport int64_t, uint32_t
from libc.string cimport memcpy

from haystack._fast.net.epoll cimport EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLRDHUP
from haystack._fast.net.openssl cimport *
from haystack._fast.net.tls_wire cimport wire_up
from haystack._fast.util.allocations cimport IS_DEBUG, Asset, book
from haystack._fast.util.buffer cimport add, pending, take

cdef extern from "sys/socket.h" nogil:
    enum:
        SHUT_WR
        SHUT_RDWR
    int shutdown(int, int)
cdef extern from "openssl/ssl.h":
    enum:
        SSL_CB_LOOP         # a message was read or written
        SSL_MODE_NO_AUTO_CHAIN

cdef enum:
    RECORD = 16384          # bytes that a record holds (RFC 8446, section 5.1)
    READS = 64              # records at once,
    RECORDS = 256           # and in a turn of the poller: the other side may send them with a byte in each
    STEPS = 8               # of handshakes in a turn of the poller: one is 0.2 ms or so, and others wait meanwhile

cdef char[RECORD] record    # what is put together for one
cdef int64_t[2][<int>Handshake.OUTCOMES] tally      # of this process, since it was taken last: with clients, with endpoints


def take_handshakes():
    """(whether with endpoints, a Handshake, how many) of those since the last call."""
    cdef int peer, how
    cdef list found = []
    for peer in range(2):
        for how in range(<int>Handshake.OUTCOMES):
            if tally[peer][how]:
                found.append((peer, how, tally[peer][how]))
                tally[peer][how] = 0
    return found


cdef class TlsSide:
    """What all TLS connections of one side have in common: counts of handshakes, and of their steps in a turn of the poller."""

    cdef void count(self, Handshake how, int number) noexcept:
        """So many more have ended so; below 0: of those that were counted so, some were none."""
        if how == Handshake.FAILED:
            self.failed += number
        else:
            self.handshakes += number
            self.resumed += number * (how == Handshake.RESUMED)
        tally[self.upward][<int>how] += number

    cdef bint may_step(self, int64_t turn) noexcept:
        """Whether one more step of a handshake may be made in this turn of the poller."""
        if turn != self.turn:
            self.turn, self.steps = turn, 0
        self.steps += 1
        return self.steps <= STEPS


cdef class TlsTransport(Transport):
    """One connection. Its subclasses begin the handshake, and say what follows when it is done or has failed."""

    def __cinit__(self):
        self.sealed = True

    def __dealloc__(self):
        self.free()
        Py_XDECREF(<PyObject *>self.tls.client)     # not before: what is told of an exchange that ends with it names the client

    cdef void free(self) noexcept:
        if self.tls.ssl != NULL:
            SSL_free(self.tls.ssl)
            self.tls.ssl = NULL
            if IS_DEBUG:
                book(Asset.TLS, -1)

    cdef int attach(self, SSL_CTX *context, void *user) except -1:
        """Give it an SSL object: only from now on it costs memory."""
        self.tls.ssl = SSL_new(context)
        if self.tls.ssl == NULL:
            raise MemoryError
        if IS_DEBUG:
            book(Asset.TLS, 1)
        if not wire_up(&self.tls.wire, self.tls.ssl, self.fd):
            raise MemoryError
        self.tls.user = user
        SSL_set_app_data(self.tls.ssl, <void *>&self.tls)
        self.tls.phase = TlsPhase.HANDSHAKE
        return 0

    # the handshake

    cdef int on_event(self, uint32_t events) except -1:
        self.tls.wire.empty = False
        if events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR):
            self.tls.wire.hung_up = True
        if self.tls.phase < TlsPhase.SECURE:
            return self.shake(events)
        if self.tls.read_waits and events & EPOLLOUT:
            self.tls.read_waits = False
            events |= EPOLLIN
        if self.tls.write_waits and events & EPOLLIN:
            self.tls.write_waits = False
            events |= EPOLLOUT
        return self.owner.on_event(events)

    cdef int on_again(self) except -1:
        self.go_on()
        return self.step() if self.tls.phase == TlsPhase.HANDSHAKE else self.owner.on_again()

    cdef int shake(self, uint32_t events) except -1:
        """Something has happened before the handshake was done."""
        raise NotImplementedError

    cdef int next_step(self) except -1:
        """Go on with the handshake, after those that were put off before."""
        return self.put_off() if self.side.waiting > 0 else self.step()

    cdef int put_off(self) except -1:
        if not self.tls.put_off:
            self.tls.put_off = True
            self.side.waiting += 1
        return self.poller.later(self)

    cdef void go_on(self) noexcept:
        """Count it no longer among the handshakes that were put off."""
        if self.tls.put_off:
            self.tls.put_off = False
            self.side.waiting -= 1

    cdef int step(self) except -1:
        """The next step of the handshake, if this turn has room for it."""
        cdef int done, problem
        if not self.side.may_step(self.poller.turn):
            return self.put_off()
        ERR_clear_error()
        done = self.advance()
        if done == 1:
            self.tls.phase = TlsPhase.SECURE
            self.writable = True
            self.side.count(self.kind(), 1)
            return self.secured()
        problem = SSL_get_error(self.tls.ssl, done)
        if problem == SSL_ERROR_WANT_WRITE:
            self.blocked()
        elif problem != SSL_ERROR_WANT_READ:
            self.side.count(Handshake.FAILED, 1)
            self.tls.phase = TlsPhase.BROKEN
            return self.refused(problem)
        return 0

    cdef Handshake kind(self) noexcept:
        """Of one that is done."""
        return Handshake.RESUMED if SSL_session_reused(self.tls.ssl) == 1 else Handshake.FULL

    cdef int advance(self) except -2:
        """Take the next step; what OpenSSL returns: 1: the handshake is done."""
        return SSL_do_handshake(self.tls.ssl)

    cdef int secured(self) except -1:
        """The handshake is done. The first bytes within may be here already."""
        raise NotImplementedError

    cdef int refused(self, int problem) except -1:
        """The handshake has failed. OpenSSL has sent the alert, if there is one to send; its errors are not read yet."""
        raise NotImplementedError

    cdef bint speaks_http2(self) noexcept:
        """Whether the handshake has chosen HTTP/2 (RFC 7301; RFC 9113, section 3.2)."""
        cdef const unsigned char *chosen
        cdef unsigned int size
        SSL_get0_alpn_selected(self.tls.ssl, &chosen, &size)
        return size == 2 and chosen[0] == c"h" and chosen[1] == c"2"

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
        """Whether so many records were read in this turn of the poller that others come first. It stays readable, and is called again."""
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

    cdef bint is_still(self) noexcept:
        """As the base has it; messages of TLS itself, such as tickets, do not count (RFC 8446, section 4.6.1)."""
        cdef char byte
        cdef size_t n = 0
        if self.tls.phase != TlsPhase.SECURE or self.tls.ssl == NULL or self.tls.ended:
            return False
        self.tls.wire.empty = False     # what has come since it was read last, no event may have told of yet
        ERR_clear_error()
        return SSL_peek_ex(self.tls.ssl, &byte, 1, &n) != 1 and SSL_get_error(self.tls.ssl, 0) == SSL_ERROR_WANT_READ

    cdef int64_t given(self) noexcept:
        return <int64_t>BIO_number_written(SSL_get_wbio(self.tls.ssl)) if self.tls.ssl != NULL else 0

    cdef size_t seal(self, const char *data, size_t size) noexcept:
        """Have OpenSSL encrypt and send as much as it takes; how many bytes. On a broken connection: all of them."""
        cdef size_t done = 0, n = 0
        cdef int problem
        if self.tls.phase != TlsPhase.SECURE or self.tls.ssl == NULL:
            return size
        self.tls.wire.last = self.last
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
        """Nothing can be sent any more. The shutdown makes an event that ends the exchange: an error of TLS alone would make none."""
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
        """Send a head and what follows it in one record."""
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
        """Send close_notify behind everything else: without it, an attacker could cut a body unnoticed (RFC 8446, section 6.1)."""
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


cdef void set_up(SSL_CTX *context) noexcept:
    """Set what contexts of both sides have in common."""
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION)
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS)
    SSL_CTX_set_mode(context, SSL_MODE_NO_AUTO_CHAIN)   # a certificate without a chain would be verified in each handshake, to find one
    SSL_CTX_set_read_ahead(context, 1)                                  # a record's head and body in one read
    SSL_CTX_set_info_callback(context, on_info)


cdef void on_info(const SSL *ssl, int where, int value) noexcept:
    """Count messages of TLS itself after the handshake: OpenSSL would work off a flood of them within one read."""
    cdef Tls *tls = <Tls *>SSL_get_app_data(ssl)
    if tls.phase == TlsPhase.SECURE and where & (SSL_CB_LOOP | SSL_CB_WRITE_ALERT):
        tls.messages += 1
        if tls.messages > FLOOD:
            SSL_set_shutdown(<SSL *>ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN)


cdef str reason():
    """OpenSSL's text for its oldest error; it holds no byte that was received."""
    cdef const char *text = ERR_reason_error_string(ERR_get_error())
    return text.decode() if text != NULL else "no reason is told"

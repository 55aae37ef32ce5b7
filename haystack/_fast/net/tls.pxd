# A transport within TLS: the same to its connection as a plain one, but that nothing can be spliced. What both sides share.
from libc.stdint cimport int64_t, uint32_t
from haystack._fast.net.openssl cimport SSL, SSL_CTX
from haystack._fast.net.tls_wire cimport Wire
from haystack._fast.net.transport cimport Transport

cdef enum:
    FLOOD = 64          # messages of TLS itself behind a handshake: keys are renewed after gigabytes

cdef enum TlsPhase:
    UNBEGUN = 0         # not a byte has come
    LOOKING             # for the name in a hello that is not whole yet: OpenSSL has seen nothing of it
    HANDSHAKE
    SECURE
    BROKEN              # nothing can be read or written any more
    REFUSED             # the handshake has failed: the client has time to read why

cdef enum Handshake:    # how one ended
    FULL = 0
    RESUMED
    FAILED
    OUTCOMES

cdef struct Tls:
    void *user          # whom OpenSSL's callbacks are for, and who outlives it: a TlsServer, or the transport to an endpoint
    SSL *ssl            # NULL before the first byte, and once closed
    TlsPhase phase
    bint read_waits     # reading has to write first, and
    bint write_waits    # writing to read
    bint ended          # the other side has said that it sends no more
    bint torn           # it is to be closed without a word, so that nobody takes that for an end
    bint put_off        # its next step waits for another turn
    void *client        # a tuple of two bytes, as client_certificates.described has it; NULL: it was asked for no certificate
    size_t dropped      # bytes, since its handshake was refused
    bint parting        # close_notify waits for room in the socket
    int64_t turn        # of the poller, in which so many records were read
    int records
    Wire wire           # to the socket
    int messages        # of TLS itself, behind the handshake

cdef class TlsSide:     # what connections have in common
    cdef int64_t turn               # of the poller, in which so many steps of handshakes were made
    cdef int steps
    cdef int waiting                # handshakes that were put off to the next turn: later ones go behind them
    cdef bint upward                # it is that of endpoints
    cdef readonly int64_t handshakes, resumed, failed

    cdef void count(self, Handshake how, int number) noexcept
    cdef bint may_step(self, int64_t turn) noexcept

cdef class TlsTransport(Transport):
    cdef Tls tls
    cdef TlsSide side

    cdef Handshake kind(self) noexcept
    cdef bint speaks_http2(self) noexcept
    cdef void free(self) noexcept
    cdef int attach(self, SSL_CTX *context, void *user) except -1
    cdef int shake(self, uint32_t events) except -1
    cdef int next_step(self) except -1
    cdef int step(self) except -1
    cdef int advance(self) except -2
    cdef int put_off(self) except -1
    cdef void go_on(self) noexcept
    cdef int secured(self) except -1
    cdef int refused(self, int problem) except -1
    cdef bint has_had_its_turn(self) noexcept
    cdef size_t seal(self, const char *data, size_t size) noexcept
    cdef int failed(self, int problem) noexcept

cdef void set_up(SSL_CTX *context) noexcept
cdef str reason()

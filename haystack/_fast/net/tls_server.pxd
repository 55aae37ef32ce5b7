# What all TLS connections of a worker share: certificates by name, the keys of tickets, and how many handshakes there were.
from libc.stdint cimport int64_t
from haystack._fast.net.client_certificates cimport ClientAuthorities
from haystack._fast.net.openssl cimport SSL, SSL_CTX

cdef enum:
    TICKET_KEYS = 3
    MOST_NAME = 255
    FLOOD = 64          # messages of TLS itself behind a handshake: keys are renewed after gigabytes

cdef struct TicketKey:
    unsigned char name[16]
    unsigned char mac[32]
    unsigned char cipher[32]

cdef enum TlsPhase:
    UNBEGUN = 0         # not a byte has come
    HANDSHAKE
    SECURE
    BROKEN              # nothing can be read or written any more
    REFUSED             # the handshake has failed: the client has time to read why

cdef struct Tls:
    void *server        # its TlsServer, which outlives it
    SSL *ssl            # NULL before the first byte, and once closed
    TlsPhase phase
    bint read_waits     # reading has to write first, and
    bint write_waits    # writing to read
    bint ended          # the client has said that it sends no more
    bint torn           # it is to be closed without a word, so that nobody takes that for an end
    bint put_off        # its next step waits for another turn
    void *client        # a tuple of two bytes, as client_certificates.described has it; NULL: it was asked for no certificate
    size_t dropped      # bytes, since its handshake was refused
    bint parting        # close_notify waits for room in the socket
    int64_t turn        # of the poller, in which so many records were read
    int records
    int messages        # of TLS itself, behind the handshake

cdef class Credential:
    cdef SSL_CTX *context           # NULL: nobody has asked for it yet, or it can't be used
    cdef bytes chain                # PEM, until the context is made; None afterwards
    cdef bytes key
    cdef readonly frozenset names   # bytes in lower case, wildcards as *.example.com
    cdef readonly bint proof        # of a name, for a CA that asks for acme-tls/1 (RFC 8737)

    cdef SSL_CTX *ready(self, TlsServer server) noexcept
    cdef bint covers(self, bytes name) noexcept

cdef class TlsServer:
    cdef SSL_CTX *context           # of connections whose hello is not read yet
    cdef int least                  # version
    cdef readonly dict names        # credentials by name
    cdef readonly Credential default
    cdef readonly dict challenges
    cdef public int port            # of its listener
    cdef object on_error
    cdef Credential found           # of the hello that was read last, and the name in it
    cdef bytes asked
    cdef TicketKey[TICKET_KEYS] keys        # new tickets have the first one
    cdef int key_count
    cdef int64_t turn               # of the poller, in which so many steps of handshakes were made
    cdef int steps
    cdef int waiting                # handshakes that were put off to the next turn: later ones go behind them
    cdef readonly int64_t handshakes, resumed, failed
    cdef bint asks                  # for certificates of clients
    cdef ClientAuthorities clients  # whose; None: that is not known yet, and all are refused

    cdef bint may_step(self, int64_t turn) noexcept
    cdef Credential find(self, bytes name, bint proof)
    cdef bint asks_rightly(self, SSL *ssl) noexcept

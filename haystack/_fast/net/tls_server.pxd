# What all TLS connections of a worker share: certificates by name, the keys of tickets, and how many handshakes there were.
from haystack._fast.net.client_certificates cimport ClientAuthorities
from haystack._fast.net.openssl cimport SSL, SSL_CTX
from haystack._fast.net.tls cimport TlsSide, TlsTransport

cdef enum:
    TICKET_KEYS = 3
    MOST_NAME = 255

cdef struct TicketKey:
    unsigned char name[16]
    unsigned char mac[32]
    unsigned char cipher[32]

cdef class Credential:
    cdef SSL_CTX *context           # NULL: nobody has asked for it yet, or it can't be used
    cdef bytes chain                # PEM, until the context is made; None afterwards
    cdef bytes key
    cdef readonly frozenset names   # bytes in lower case, wildcards as *.example.com
    cdef readonly bint proof        # of a name, for a CA that asks for acme-tls/1 (RFC 8737)

    cdef SSL_CTX *ready(self, TlsServer server) noexcept
    cdef bint covers(self, bytes name) noexcept

cdef class TlsServer(TlsSide):
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
    cdef bint asks                  # for certificates of clients
    cdef ClientAuthorities clients  # whose; None: that is not known yet, and all are refused

    cdef Credential find(self, bytes name, bint proof)
    cdef bint asks_rightly(self, SSL *ssl) noexcept

cdef class TlsServerTransport(TlsTransport):
    cdef Credential credential      # what the client was shown; None: nothing yet
    cdef bytes name                 # what it asked for, in lower case; empty: nothing

    cdef bint is_taken(self) except -1
    cdef int wait(self) except -1
    cdef int begin(self) except -1
    cdef int linger(self) except -1
    cdef int identify(self) except -1

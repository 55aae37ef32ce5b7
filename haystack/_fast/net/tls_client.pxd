# Connections to endpoints within TLS: whose certificates are taken, and what is kept of an endpoint for the next handshake.
from libc.stdint cimport int64_t
from haystack._fast.net.openssl cimport SSL, SSL_CTX, SSL_SESSION, X509_STORE
from haystack._fast.net.tls cimport TlsSide, TlsTransport

cdef class TrustStore:
    cdef X509_STORE *store
    cdef readonly int count         # of certificates

cdef class TlsClient(TlsSide):
    cdef object __weakref__
    cdef SSL_CTX *context           # NULL: by whom certificates have to be signed is not known
    cdef readonly bytes protocol    # what is offered by ALPN
    cdef readonly bint verifies
    cdef readonly int64_t version   # of the context: sessions of another one are of no use

    cdef void drop(self) noexcept

cdef class TlsTarget:
    cdef readonly TlsClient client
    cdef readonly str name          # that the certificate has to be for; empty: any
    cdef bytes host                 # the same, for OpenSSL
    cdef bint by_address            # it is an IP address
    cdef SSL_SESSION *session       # the newest; NULL: there is none
    cdef int64_t version            # of the client's context, that it is of
    cdef readonly int64_t handshakes, resumed

    cdef int dress(self, SSL *ssl) except -1
    cdef void keep(self, SSL_SESSION *session, int64_t version) noexcept

cdef class TlsClientTransport(TlsTransport):
    cdef TlsTarget target
    cdef int64_t version            # of the client's context, when it began

    cdef int begin(self) except -1
    cdef bint has_chosen(self) noexcept

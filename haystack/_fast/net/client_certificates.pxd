# Certificates of clients: whose are asked for, and what is told of a verified one.
from haystack._fast.net.openssl cimport SSL, SSL_CTX, X509, X509_NAMES, X509_STORE

cdef class ClientAuthorities:
    cdef X509_STORE *store
    cdef X509_NAMES *names          # of the authorities, told to clients
    cdef bytes mark

    cdef bint ask(self, SSL *ssl) noexcept

cdef int heed_ends(SSL_CTX *context) except -1
cdef tuple described(X509 *shown)

# A transport within TLS: the same to its connection as a plain one, but that nothing can be spliced.
from libc.stdint cimport uint32_t
from haystack._fast.net.tls_server cimport Credential, Tls, TlsServer
from haystack._fast.net.transport cimport Transport

cdef class TlsTransport(Transport):
    cdef Tls tls
    cdef TlsServer server
    cdef Credential credential      # what the client was shown; None: nothing yet
    cdef bytes name                 # what it asked for, in lower case; empty: nothing

    cdef void free(self) noexcept
    cdef int shake(self, uint32_t events) except -1
    cdef int step(self) except -1
    cdef int put_off(self) except -1
    cdef void go_on(self) noexcept
    cdef int begin(self) except -1
    cdef int secured(self) except -1
    cdef int refused(self) except -1
    cdef int linger(self) except -1
    cdef bint is_empty(self) noexcept
    cdef bint has_had_its_turn(self) noexcept
    cdef int identify(self) except -1
    cdef size_t seal(self, const char *data, size_t size) noexcept
    cdef int failed(self, int problem) noexcept

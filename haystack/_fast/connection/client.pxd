# A connection to an endpoint, whatever it speaks: how it is made, and how it rests in its endpoint's pool.
from libc.stdint cimport int64_t, uint32_t
from haystack._fast.endpoint.endpoint cimport Endpoint
from haystack._fast.net.tls_client cimport TlsTarget
from haystack._fast.net.transport cimport Connection
from haystack._fast.util.linked_list cimport Link
from haystack._fast.worker.worker_state cimport WorkerState

cdef enum Dial:
    REFUSED = 0
    UNDER_WAY
    SHORT               # we have no descriptor, port or memory for it: the endpoint was not asked

cdef class ClientConnection(Connection):
    cdef WorkerState worker
    cdef Endpoint endpoint
    cdef Link place             # in its endpoint's pool
    cdef bint connecting
    cdef int64_t born           # milliseconds
    cdef int64_t patience       # that it had to be made in, where nothing else is said
    cdef TlsTarget target       # None: it is not within TLS

    cdef Dial connect(self, int fd, int64_t patience) except? Dial.REFUSED
    cdef int introduce(self, const char *data, size_t size) except -1
    cdef int say_greeting(self) except -1
    cdef bint has_connected(self, uint32_t events) noexcept
    cdef bint is_old(self) noexcept
    cdef int rest(self) except -1
    cdef int leave_pool(self) except -1

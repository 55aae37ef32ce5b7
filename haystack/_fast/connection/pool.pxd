# Where an exchange's connection to an endpoint comes from.
from libc.stdint cimport int64_t
from haystack._fast.connection.client cimport Dial
from haystack._fast.connection.leg cimport UpLeg
from haystack._fast.endpoint.endpoint cimport Endpoint, Protocol
from haystack._fast.worker.worker_state cimport WorkerState

cdef UpLeg pooled(Endpoint endpoint, bint idempotent)
cdef UpLeg dial(WorkerState worker, Endpoint endpoint, int64_t patience, bint *short_of)
cdef Dial provide(WorkerState worker, Endpoint endpoint) except? Dial.REFUSED
cdef int fail_waiting(Endpoint endpoint, const char *error, int status) except -1

cdef inline bint is_shared(Endpoint endpoint) noexcept:
    """Whether its connections carry several exchanges each."""
    return endpoint.protocol == Protocol.H2C or endpoint.protocol == Protocol.H2

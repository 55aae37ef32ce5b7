# Bytes that go from a client to an endpoint unread.
from haystack._fast.connection.leg cimport DownLeg
from haystack._fast.endpoint.endpoint cimport Route
from haystack._fast.exchange.exchange cimport Exchange
from haystack._fast.worker.worker_state cimport WorkerState

cdef class Relay(Exchange):
    cdef int read_hello(self, size_t size) except -1
    cdef int send_early(self) except -1

cdef int relay(WorkerState worker, DownLeg leg, Route route, bytes name, size_t size) except -1

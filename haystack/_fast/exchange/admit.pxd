# From a request's head to its route.
from haystack._fast.connection.leg cimport Handler
from haystack._fast.exchange.exchange cimport Exchange
from haystack._fast.http1.head cimport Head
from haystack._fast.http1.serialize cimport Client
from haystack._fast.worker.worker_state cimport WorkerState

cdef class Exchanges(Handler):
    cdef WorkerState worker

cdef int admit(Exchange x, Head *h) except -1
cdef int describe_client(Exchange x, Head *h, Client *client) except -1
cdef void settle_host(Exchange x, Head *h) noexcept

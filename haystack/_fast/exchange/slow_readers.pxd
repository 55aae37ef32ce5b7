# Clients that bytes wait for.
from haystack._fast.exchange.exchange cimport Exchange
from haystack._fast.exchange.worker_state cimport Plane

cdef int relieve(Plane plane, Exchange keep) except -1

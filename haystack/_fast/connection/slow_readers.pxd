# Clients that bytes wait for.
from haystack._fast.connection.leg cimport LegUser
from haystack._fast.worker.worker_state cimport WorkerState

cdef int relieve(WorkerState worker, LegUser keep) except -1

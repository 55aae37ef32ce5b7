# Clients that bytes wait for.
from haystack._fast.connection.leg cimport LegUser
from haystack._fast.worker.worker_state cimport Plane

cdef int relieve(Plane plane, LegUser keep) except -1

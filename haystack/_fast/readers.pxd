# Clients that bytes wait for.
from haystack._fast.exchange cimport Exchange
from haystack._fast.plane cimport Plane

cdef int relieve(Plane plane, Exchange keep) except -1

# A listening socket of a worker.
from haystack._fast.plane cimport Plane
from haystack._fast.poller cimport Stream

cdef class Listener(Stream):
    cdef Plane plane
    cdef int index
    cdef int spare

    cdef int refuse_one(self) except -1

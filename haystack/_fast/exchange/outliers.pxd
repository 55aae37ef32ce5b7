# Carries out what is decided about endpoints that keep requests waiting.
from haystack._fast.endpoint.endpoint cimport Endpoint, Member, Queue, Route
from haystack._fast.endpoint.outlier cimport ServiceView
from haystack._fast.worker.worker_state cimport WorkerState

cdef class Watched:
    cdef Route route
    cdef ServiceView view

    cdef Member member_of(self, Endpoint endpoint)

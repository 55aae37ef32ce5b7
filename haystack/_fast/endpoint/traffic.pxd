# What a worker tells of its exchanges: who has anything new to tell stands in one of these lists, once.
from haystack._fast.endpoint.endpoint cimport Endpoint, Member, Queue, Route

cdef class Traffic:
    cdef list members       # with requests or exchanges since the last report
    cdef list queues        # (queue, its service's name) with exchanges since then, or some that wait
    cdef list endpoints     # with exchanges in flight or pooled connections, and those that were told with some

    cdef int retried(self, Member member) except -1
    cdef int waits(self, Route route) except -1
    cdef int note_member(self, Member member) except -1
    cdef int note_queue(self, Route route) except -1
    cdef int note_endpoint(self, Endpoint endpoint) except -1

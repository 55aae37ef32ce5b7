# What the control process is told of endpoints that fail.
from libc.stdint cimport int64_t
from haystack._fast.endpoint.endpoint cimport Member, Queue
from haystack._fast.endpoint.outlier cimport Fault

cdef class FaultReports:
    cdef list members           # with news of their faults

    cdef int fault(self, Member member, Queue queue, Fault kind, int64_t now) except -1
    cdef int count(self, Member member, Queue queue, int64_t now) except -1
    cdef int confirm(self, Member member, Queue queue, int64_t now) except -1
    cdef int fine(self, Member member) except -1
    cdef int add(self, Member member) except -1
    cdef list take(self, int64_t now)

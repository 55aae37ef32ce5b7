# Pickers that keep their members in order of whose turn it is: a heap.
from libc.stdint cimport uint64_t
from haystack._fast.endpoint.endpoint cimport Member, Picker

cdef struct Turn:
    uint64_t load           # exchanges in flight times stride; always 0 for those that don't go by load
    uint64_t due            # virtual time of the next turn
    int slot

cdef class RoundRobin(Picker):
    cdef Turn *heap
    cdef int *places        # slot → index in heap
    cdef uint64_t *strides  # by slot: how long a turn lasts, in virtual time
    cdef uint64_t now       # virtual time: when the last turn began

    cdef int fill(self, RoundRobin old) except -1
    cdef void settle(self, int at) noexcept nogil
    cdef bint rise(self, int at) noexcept nogil
    cdef void sink(self, int at) noexcept nogil
    cdef int first(self, void **tried, int tries)

cdef class LeastConn(RoundRobin):
    pass

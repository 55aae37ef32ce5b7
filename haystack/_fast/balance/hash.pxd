# The picker that sends like to like: a hash ring.
from libc.stdint cimport int64_t, uint64_t
from haystack._fast.endpoint.endpoint cimport Member, Picker

cdef class Hash(Picker):
    cdef uint64_t *points   # in order: 40 bits of place on the ring, 24 bits of slot
    cdef int count
    cdef int *index         # where the points of each bucket begin: a bucket is what has the same upper bits
    cdef int bits           # of a bucket's number
    cdef int64_t whole      # sum of the weights
    cdef int64_t load       # exchanges in flight on all of weighted

    cdef int fill(self) except -1
    cdef int order(self, uint64_t *loose) except -1
    cdef int owner(self, uint64_t place) noexcept nogil

# The picker that goes by how long endpoints took to answer.
from libc.stdint cimport int64_t
from haystack._fast.balance.random cimport P2C
from haystack._fast.endpoint.endpoint cimport Endpoint

cdef int64_t ahead               # ns that the clock is put forward: 0, but in simulations

cdef class Ewma(P2C):
    cdef int64_t now            # ns of the pickers' clock, at the pick that runs

    cdef double cost(self, int slot) noexcept

# Choosing an endpoint. One function an algorithm, one table of them.
from haystack._fast.cells cimport Member, Route

cdef enum:
    MAX_TRIES = 8

cdef Member pick(Route route, void **tried, int tries)
cdef unsigned long long next_random() noexcept nogil

# Which clients called which services of late.
from libc.stdint cimport int64_t, uint64_t
from haystack._fast.util.linked_list cimport Link, Ring

cdef struct Row:
    Link link               # among all rows, by when they were noted last
    Row *next               # with the same place in the table
    uint64_t hash
    void *service           # str, with a reference
    int64_t last            # milliseconds of its newest connection
    int64_t times           # connections
    int size
    char address[48]

cdef class Callers:
    cdef Row **places       # the table; NULL: nothing was noted yet
    cdef Ring rows
    cdef uint64_t seed      # nobody may know which pairs share a place

    cdef int note(self, const char *address, int size, str service, int64_t now) except -1
    cdef Row *row_of(self, uint64_t hash, const char *address, int size, str service) except? NULL
    cdef Row *fresh(self, uint64_t hash) except NULL
    cdef void forget_oldest(self) noexcept

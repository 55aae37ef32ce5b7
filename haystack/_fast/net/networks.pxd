# What a client's address is good for.
from libc.stdint cimport uint32_t, uint64_t

cdef enum Right:            # as haystack/net/rights.py has it
    INSIDE = 1
    ADMIN = 2
    RECURSION = 4
    TRUSTED = 8             # its word on who the client is counts
    NEAR = 16
    GATEWAY = 32
    NOBODY = 64             # of a guard: no address has it
    INTRODUCED = 128        # its connections begin with a PROXY header that tells whose they are

cdef struct Place4:
    uint32_t start
    uint32_t rights

cdef struct Place6:
    uint64_t high, low
    uint64_t rights

cdef class Networks:
    cdef bytes held4, held6
    cdef const Place4 *v4
    cdef const Place6 *v6
    cdef Py_ssize_t count4, count6
    cdef int anybody            # what every address may, and so who nobody knows

    cdef int of4(self, uint32_t address) noexcept
    cdef int of6(self, const unsigned char *ip) noexcept
    cdef int of_text(self, const char *p, Py_ssize_t size) noexcept

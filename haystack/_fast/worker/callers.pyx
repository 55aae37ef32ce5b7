"""Which clients called which services of late: so many pairs of a client and a service, the newest; others give way.

A pair is noted with the first request of a connection, and where the same connection turns to another service: what a client with a
connection that is kept costs is a comparison. So connections are counted, and not requests.
"""
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcmp, memcpy

from haystack._fast.net.poller cimport clock_ns
from haystack._fast.util.linked_list cimport Link, join, leave
from haystack._fast.util.random_numbers cimport mix, next_random

cdef enum:
    PLACES = 2048       # a power of two; as many rows at most
    LONGEST = 48        # bytes of an address


cdef class Callers:
    """For one worker."""

    def __cinit__(self):
        self.seed = next_random()

    def __dealloc__(self):
        while self.rows.oldest != NULL:
            self.forget_oldest()
        free(self.places)

    cdef int note(self, const char *address, int size, str service, int64_t now) except -1:
        """A client calls this service, on a connection that has called another one last, or none. now: milliseconds."""
        cdef uint64_t hashed = hash_of(self.seed, address, min(size, LONGEST), service)
        cdef Row *row
        size = min(size, LONGEST)
        if self.places == NULL:
            self.places = <Row **>calloc(PLACES, sizeof(Row *))
            if self.places == NULL:
                raise MemoryError
        row = self.row_of(hashed, address, size, service)
        if row == NULL:
            row = self.fresh(hashed)
            Py_INCREF(service)
            row.service = <void *>service
            row.times = 0
            row.size = size
            memcpy(row.address, address, size)
        row.last = now
        row.times += 1
        join(&self.rows, &row.link)     # as the newest
        return 0

    cdef Row *row_of(self, uint64_t hash, const char *address, int size, str service) except? NULL:
        """The row of this pair; NULL: there is none."""
        cdef Row *row = self.places[hash & (PLACES - 1)]
        while row != NULL:
            if row.hash == hash and row.size == size and memcmp(row.address, address, size) == 0 and (
                    row.service == <void *>service or <str>row.service == service):
                return row
            row = row.next
        return NULL

    cdef Row *fresh(self, uint64_t hash) except NULL:
        """A row in the place of this hash. Where there are as many as may be, the oldest goes."""
        cdef Row *row
        if self.rows.count >= PLACES:
            self.forget_oldest()
        row = <Row *>malloc(sizeof(Row))
        if row == NULL:
            raise MemoryError
        row.link = Link(NULL, NULL, NULL, <void *>row)
        row.hash = hash
        row.next = self.places[hash & (PLACES - 1)]
        self.places[hash & (PLACES - 1)] = row
        return row

    cdef void forget_oldest(self) noexcept:
        cdef Row *row = <Row *>self.rows.oldest.owner
        cdef Row **at = &self.places[row.hash & (PLACES - 1)]
        while at[0] != row:
            at = &at[0].next
        at[0] = row.next
        leave(&row.link)
        Py_DECREF(<object>row.service)
        free(row)

    def told(self):
        """(client's address as text, service, seconds ago, connections) rows, the newest last."""
        cdef int64_t now = clock_ns() // 1000000
        cdef Link *at = self.rows.oldest
        cdef Row *row
        found = []
        while at != NULL:
            row = <Row *>at.owner
            at = at.newer
            found.append((row.address[:row.size].decode(), <str>row.service, max(now - row.last, 0) / 1000, row.times))
        return found


cdef uint64_t hash_of(uint64_t seed, const char *address, int size, str service) except? 0:
    cdef uint64_t hashed = seed ^ <uint64_t>hash(service)
    cdef uint64_t part
    cdef int i
    for i in range(0, size, 8):
        part = 0
        memcpy(&part, address + i, min(8, size - i))
        hashed = mix(hashed ^ part)
    return hashed

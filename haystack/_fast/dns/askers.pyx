"""Who asked for which name last: a table of so many places, which costs nothing until somebody asks.

A name and an address have one place, by their digest; another pair of the same place takes it. So the table holds what was asked for
lately, and no client can make it grow.
"""
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memcmp, memcpy

from haystack._fast.net.poller cimport clock_ns

cdef enum:
    PLACES = 2048


cdef class Askers:
    """For one worker."""

    def __dealloc__(self):
        cdef int i
        if self.rows != NULL:
            for i in range(PLACES):
                free(self.rows[i].name)
            free(self.rows)

    cdef void note(self, Question *q, Asker *asker, int kind, int64_t now) noexcept:
        """It asks now (milliseconds). Where there is no memory for it, nothing is noted."""
        cdef uint64_t digest
        cdef Asking *row
        if self.rows == NULL:
            self.rows = <Asking *>calloc(PLACES, sizeof(Asking))
            if self.rows == NULL:
                return
        digest = digest_of(q, asker)
        row = &self.rows[digest % PLACES]
        if not is_same(row, digest, q, asker) and not take_over(row, digest, q, asker):
            return
        row.last = now
        row.times += 1
        row.kinds |= <uint16_t>(1 << kind)

    def told(self, bytes name=None, clients=None):
        """Who asked for this name (lower-case wire form), or what these addresses (octets) asked for; None: any.

        (name, address, kinds, seconds ago, how often) rows; kinds: a bit for each of responder.KIND_NAMES.
        """
        cdef int i
        cdef Asking *row
        cdef int64_t now = clock_ns() // 1000000
        found = []
        for i in range(PLACES if self.rows != NULL else 0):
            row = &self.rows[i]
            if row.digest == 0:
                continue
            asked = PyBytes_FromStringAndSize(<const char *>row.name, row.name_size)
            client = PyBytes_FromStringAndSize(<const char *>row.ip, row.size)
            if (name is None or name == asked) and (clients is None or client in clients):
                found.append((asked, client, row.kinds, max(now - row.last, 0) / 1000, row.times))
        return found


cdef inline uint64_t digest_of(Question *q, Asker *asker) noexcept nogil:
    """Of name and address, and never 0."""
    cdef uint64_t high = 0, low = 0
    if asker.size == 4:
        memcpy(&low, asker.ip, 4)
    else:
        memcpy(&high, asker.ip, 8)
        memcpy(&low, asker.ip + 8, 8)
    low = (low ^ q.digest) * 0x9E3779B97F4A7C15ULL
    low = (low ^ low >> 29 ^ high) * 0xBF58476D1CE4E5B9ULL
    return (low ^ low >> 32) | <uint64_t>1 << 63


cdef inline bint is_same(Asking *row, uint64_t digest, Question *q, Asker *asker) noexcept nogil:
    return (
        row.digest == digest and row.name_size == q.name_size and row.size == asker.size
        and memcmp(row.ip, asker.ip, asker.size) == 0 and memcmp(row.name, q.key, q.name_size) == 0
    )


cdef bint take_over(Asking *row, uint64_t digest, Question *q, Asker *asker) noexcept nogil:
    """Give the place to this pair; False: there is no memory for its name."""
    cdef uint8_t *name = <uint8_t *>realloc(row.name, q.name_size)
    if name == NULL:
        return False
    memcpy(name, q.key, q.name_size)
    memcpy(row.ip, asker.ip, asker.size)
    row.name, row.name_size, row.size = name, <uint8_t>q.name_size, <uint8_t>asker.size
    row.digest, row.times, row.kinds = digest, 0, 0
    return True

"""The DNS log in a worker: a row for each answer, octets alone. The control process makes lines of them (query_lines.pyx).

Never waits and never fails: what there is no room for is counted.
"""
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.string cimport memcpy, memset
from posix.time cimport CLOCK_REALTIME, clock_gettime, timespec

from haystack._fast.util.buffer cimport pending, release, reserve, take

cdef enum:
    ROOM = 4 << 20          # octets of rows that may wait to be taken
    LONGEST_ROW = 320
    KEPT = 1 << 20          # capacity that is kept between two ticks


cdef class QueryLog:
    """The rows of one worker."""

    def __dealloc__(self):
        release(&self.rows)

    cdef void write(self, Question *q, Asker *asker, int source, int rcode, int limited, int64_t ns) noexcept:
        """Add the row of an answer."""
        cdef timespec wall
        cdef Row row
        cdef char *p
        if self.rows.end + LONGEST_ROW > ROOM:
            self.dropped += 1
            return
        try:
            reserve(&self.rows, LONGEST_ROW)
        except MemoryError:
            self.dropped += 1
            return
        clock_gettime(CLOCK_REALTIME, &wall)
        memset(&row, 0, sizeof(row))
        row.at_us, row.ns = <int64_t>wall.tv_sec * 1000000 + wall.tv_nsec // 1000, ns
        row.source, row.rcode, row.limited = <uint8_t>source, <uint16_t>rcode, <uint8_t>limited
        row.tcp, row.size = asker.tcp, <uint8_t>asker.size
        if not q.failed:
            row.qtype, row.name_size = q.qtype, <uint8_t>q.name_size
        p = self.rows.data + self.rows.end
        memcpy(p, &row, sizeof(row))
        memcpy(p + sizeof(row), asker.ip, row.size)
        memcpy(p + sizeof(row) + row.size, q.key, row.name_size)
        self.rows.end += sizeof(row) + row.size + row.name_size
        self.count += 1

    def take(self):
        """(rows, how many, how many were dropped) since the last call, or None: there was nothing."""
        if self.count == 0 and self.dropped == 0:
            return None
        taken = PyBytes_FromStringAndSize(self.rows.data, pending(&self.rows)), self.count, self.dropped
        take(&self.rows, pending(&self.rows))
        if self.rows.capacity > KEPT:
            release(&self.rows)
        self.count = self.dropped = 0
        return taken

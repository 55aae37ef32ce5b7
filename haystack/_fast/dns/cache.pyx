"""Answers of other nameservers in a worker: kept as octets, given out with their TTLs less by their age (RFC 1035, section 7.4).

What has ended is kept for when nobody can tell a newer answer (RFC 8767), until others need its room. Never asks anybody.
"""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memcpy

from haystack._fast.dns.message cimport Message, begin, finish
from haystack._fast.dns.question cimport Flag, Rcode, at32, put32
from haystack._fast.util.allocations cimport IS_DEBUG, Asset, book
from haystack._fast.util.linked_list cimport join, leave

cdef enum:
    OVERHEAD = 400          # octets that an entry takes beside what it holds
    DAY_MS = 86400000
    STALE_TTL = 30          # seconds (RFC 8767, section 4)

cdef bytes STALE = b"\0\x0f\0\x02\0\x03"           # RFC 8914, sections 4.4 and 4.20
cdef bytes STALE_NO = b"\0\x0f\0\x02\0\x13"


cdef class Entry:
    """An answer to a question. born, until: milliseconds of the worker's clock; the rest as in wire.Packed."""

    def __cinit__(self):
        self.link.owner = <void *>self
        if IS_DEBUG:
            book(Asset.ANSWER, 1)

    def __init__(self, bytes key, int flags, bytes body, bytes ends, bytes ages, counts, bytes options, int64_t born, int64_t until):
        self.key, self.body, self.ends, self.ages, self.options = key, body, ends, ages, options
        self.flags, self.rcode = <uint16_t>(flags & 0xFFF0), (flags >> 16) << 4 | flags & 15
        self.counts[0], self.counts[1], self.counts[2] = counts
        self.born, self.until = born, until
        self.size = OVERHEAD + len(key) + len(body) + len(ends) + len(ages) + len(options)

    def __dealloc__(self):
        leave(&self.link)
        if IS_DEBUG:
            book(Asset.ANSWER, -1)


cdef class Cache:
    """most: octets that it may take."""

    def __init__(self, Py_ssize_t most):
        self.entries = {}
        self.most = most

    def __len__(self):
        return len(self.entries)

    def __dealloc__(self):
        while self.ring.oldest != NULL:
            leave(self.ring.oldest)

    cdef Entry find(self, bytes key):
        """What is kept of a question, ended or not; None: nothing."""
        found = self.entries.get(key)
        if found is not None:
            join(&self.ring, &(<Entry>found).link)
        return <Entry>found

    cdef int keep(self, Entry entry) except -1:
        """Keep it in the place of what was there, and let go of those that were not asked for longest where that needs room."""
        old = self.entries.get(entry.key)
        if old is not None:
            self.drop(<Entry>old)
        if entry.size > self.most // 4:
            return 0
        self.entries[entry.key] = entry
        join(&self.ring, &entry.link)
        self.size += entry.size
        while self.size > self.most:
            self.drop(<Entry>self.ring.oldest.owner)
        return 0

    cdef int drop(self, Entry entry) except -1:
        leave(&entry.link)
        self.size -= entry.size
        del self.entries[entry.key]
        return 0

    def clear(self):
        """Let go of everything."""
        while self.ring.oldest != NULL:
            self.drop(<Entry>self.ring.oldest.owner)


cdef bint is_spare(Entry entry, int64_t now) noexcept:
    """Whether an answer that has ended is better than none: it is no failure, and ended less than a day ago (RFC 8767, section 5)."""
    return (entry.rcode == Rcode.NOERROR or entry.rcode == Rcode.NXDOMAIN) and now < entry.until + DAY_MS


cdef bytes key_of(Question *q):
    """What tells a question from others: name, type, and DO and CD, which change what a nameserver answers."""
    cdef bytes key = PyBytes_FromStringAndSize(NULL, q.name_size + KEY_END)
    cdef char *p = PyBytes_AS_STRING(key)
    memcpy(p, q.key, q.name_size)
    p[q.name_size] = <char>(q.qtype >> 8)
    p[q.name_size + 1] = <char>(q.qtype & 255)
    p[q.name_size + 2] = (1 if q.dnssec else 0) | (2 if q.flags & <int>Flag.CD else 0)
    return key


cdef int write(Entry entry, uint8_t *p, Question *q, int limit, int64_t now, bint stale) noexcept:
    """The answer for this asker: how many octets. What does not fit is cut off by whole records, additional ones first.

    RFC 2181, section 9. stale: it has ended, and is given in want of a better one (RFC 8767).
    """
    cdef bytes said = entry.options if not stale else STALE_NO if entry.rcode == Rcode.NXDOMAIN else STALE
    cdef Message m
    cdef const uint16_t *ends = <const uint16_t *>PyBytes_AS_STRING(entry.ends)
    cdef const uint16_t *ages = <const uint16_t *>PyBytes_AS_STRING(entry.ages)
    cdef int records = <int>(PyBytes_GET_SIZE(entry.ends) // 2), wanted = entry.counts[0] + entry.counts[1], kept, size, i
    cdef uint32_t age = <uint32_t>(max(now - entry.born, <int64_t>0) // 1000), ttl
    cdef int options = <int>PyBytes_GET_SIZE(said)
    begin(&m, p, q, limit, options)
    kept, size = records, <int>PyBytes_GET_SIZE(entry.body)
    if m.at + size > m.room:
        kept = min(wanted, records)
        while kept and m.at + ends[kept - 1] > m.room:
            kept -= 1
        size = ends[kept - 1] if kept else 0
        if kept < wanted:
            m.flags |= Flag.TC
    memcpy(p + m.at, PyBytes_AS_STRING(entry.body), size)
    for i in range(min(kept, <int>(PyBytes_GET_SIZE(entry.ages) // 2))):
        ttl = at32(p + m.at + ages[i])
        put32(p + m.at + ages[i], STALE_TTL if stale else ttl - age if ttl > age else 0)
    m.at += size
    m.counts[0] = min(kept, entry.counts[0])
    m.counts[1] = min(max(kept - entry.counts[0], 0), entry.counts[1])
    m.counts[2] = max(kept - wanted, 0)
    m.flags |= entry.flags | <int>Flag.RA
    return finish(&m, entry.rcode, <const uint8_t *>PyBytes_AS_STRING(said), options)

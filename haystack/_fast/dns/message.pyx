"""Writes DNS messages: records one after the other, each whole or not at all, and TC where an answer is cut off (RFC 2181, section 9).

Names are compressed by what they share with the question (RFC 1035, section 4.1.4), which stands at the same place in every message: so
records can be written in any order. Never decides what to say.
"""
from libc.string cimport memcmp, memcpy

from haystack._fast.dns.question cimport HEADER, PAYLOAD, Flag, Type, put16, put32

cdef enum:
    POINTED = 0xC000
    CLASS_IN = 1
    FIXED = 10


cdef void begin(Message *m, uint8_t *p, Question *question, int limit, int options) noexcept nogil:
    """Begin an answer of so many octets at most, to which EDNS options of so many octets will come where the asker has EDNS."""
    m.p = p
    m.question = question
    m.at = HEADER + question.size
    m.room = limit - (OPT_SIZE + options if question.edns else 0)
    m.counts[0] = m.counts[1] = m.counts[2] = 0
    m.flags = 0
    m.full = False
    memcpy(p + HEADER, question.packet + HEADER, question.size)


cdef int finish(Message *m, int rcode, const uint8_t *options, int options_size) noexcept nogil:
    """Write header and EDNS; how many octets it has. An extended code's upper bits travel in the OPT record (RFC 6891, section 6.1.3)."""
    cdef Question *q = m.question
    memcpy(m.p, q.packet, 2)
    put16(m.p + 2, m.flags | <int>Flag.QR | (q.flags & (<int>Flag.RD | <int>Flag.CD)) | (rcode & 15))
    put16(m.p + 4, 1)
    put16(m.p + 6, m.counts[0])
    put16(m.p + 8, m.counts[1])
    put16(m.p + 10, m.counts[2] + (1 if q.edns else 0))
    if q.edns:
        m.at += write_opt(m.p + m.at, q, rcode, options, options_size)
    return m.at


cdef int write_opt(uint8_t *p, Question *q, int rcode, const uint8_t *options, int options_size) noexcept nogil:
    """An OPT record; DO is copied from the query (RFC 3225, section 3)."""
    p[0] = 0
    put16(p + 1, Type.OPT)
    put16(p + 3, PAYLOAD)
    p[5] = <uint8_t>(rcode >> 4)
    p[6] = 0
    put16(p + 7, 0x8000 if q.dnssec else 0)
    put16(p + 9, options_size)
    if options_size:
        memcpy(p + OPT_SIZE, options, options_size)
    return OPT_SIZE + options_size


cdef int refusal(uint8_t *p, Question *question, int rcode) noexcept nogil:
    """A message without a question, for what could not be taken apart: id, opcode and RD as asked; how many octets it has."""
    memcpy(p, question.packet, 2)
    put16(p + 2, <int>Flag.QR | (question.flags & (<int>Flag.OPCODE | <int>Flag.RD)) | rcode)
    put16(p + 4, 0)
    put32(p + 6, 0)
    put16(p + 10, 1 if question.edns else 0)
    return HEADER + (write_opt(p + HEADER, question, 0, NULL, 0) if question.edns else 0)


cdef bint address(Message *m, Section section, int owner, const uint8_t *ip, int size) noexcept nogil:
    """An A or AAAA record of the name that was written at `owner`, which a pointer can reach; False: it has no room."""
    cdef uint8_t *p = m.p + m.at
    if m.full or m.at + 2 + FIXED + size > m.room:
        m.full = True
        return False
    put16(p, POINTED | owner)
    put16(p + 2, Type.A if size == 4 else Type.AAAA)
    put16(p + 4, CLASS_IN)
    put32(p + 6, m.ttl)
    put16(p + 10, size)
    memcpy(p + 12, ip, size)
    m.at += 12 + size
    m.counts[<int>section] += 1
    return True


cdef void open_record(Message *m, Section section, int owner, int rtype) noexcept nogil:
    """Begin a record of the name that was written at `owner`; its data follows by `name` and `plain`, and `close_record` ends it."""
    m.section, m.start = section, m.at
    pointer(m, owner)
    fix(m, rtype)


cdef void open_named(Message *m, Section section, const uint8_t *owner, int size, int rtype) noexcept nogil:
    """The same of a name in lower-case wire form."""
    m.section, m.start = section, m.at
    name(m, owner, size)
    fix(m, rtype)


cdef void fix(Message *m, int rtype) noexcept nogil:
    """What stands between a record's name and its data."""
    cdef uint8_t fixed[FIXED]
    put16(fixed, rtype)
    put16(fixed + 2, CLASS_IN)
    put32(fixed + 4, m.ttl)
    plain(m, fixed, FIXED)
    m.data = m.at


cdef bint close_record(Message *m) noexcept nogil:
    """Count the record, or take it back where it has no room, which is False."""
    if m.full:
        m.at = m.start
        return False
    put16(m.p + m.data - 2, m.at - m.data)
    m.counts[<int>m.section] += 1
    return True


cdef bint name(Message *m, const uint8_t *wire, int size) noexcept nogil:
    """A name in lower-case wire form, as far as the question has it by a pointer; False: it has no room."""
    cdef Question *q = m.question
    cdef int at = 0, labels = 0, left, suffix
    while wire[at]:
        labels += 1
        at += wire[at] + 1
    at, left = 0, labels
    while left:
        if left <= q.labels:
            suffix = q.starts[q.labels - left]
            if q.name_size - suffix == size - at and memcmp(q.key + suffix, wire + at, size - at) == 0:
                return plain(m, wire, at) and pointer(m, HEADER + suffix)
        at += wire[at] + 1
        left -= 1
    return plain(m, wire, size)


cdef bint pointer(Message *m, int to) noexcept nogil:
    """A name that has been written already, or the end of one; False: it has no room."""
    cdef uint8_t both[2]
    put16(both, POINTED | to)
    return plain(m, both, 2)


cdef bint plain(Message *m, const uint8_t *data, int size) noexcept nogil:
    """These octets as they are; False: they have no room."""
    if m.full or m.at + size > m.room:
        m.full = True
        return False
    memcpy(m.p + m.at, data, size)
    m.at += size
    return True

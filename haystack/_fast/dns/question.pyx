"""A DNS query taken apart (RFC 1035, section 4.1, and RFC 6891): no copy but the name in lower case, no Python object."""
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.string cimport memcpy

cdef enum:
    LONGEST_LABEL = 63
    POINTER = 0xC0          # both upper bits of a length octet (RFC 1035, section 4.1.4)
    FIXED = 10              # octets of a record between its name and its data
    DO = 0x80               # in the first octet of EDNS's flags (RFC 3225, section 3)


cdef bint parse(const uint8_t *packet, Py_ssize_t size, Question *q) noexcept nogil:
    """Take apart a packet of HEADER octets at least; False: it is no well-formed query.

    Also then `edns` says whether an OPT record was seen: the answer bears one (RFC 6891, section 6.1.1).
    """
    q.packet = packet
    q.flags = <uint16_t>at16(packet + 2)
    q.edns = q.dnssec = False
    q.version = 0
    q.payload = CLASSIC
    q.failed = at16(packet + 4) != 1 or at16(packet + 6) != 0 or at16(packet + 8) != 0 or not read_name(packet, size, q)
    if q.failed or HEADER + q.name_size + 4 > size:
        q.failed = True
        look_for_edns(packet, size, q)
        return False
    q.size = q.name_size + 4
    q.qtype = <uint16_t>at16(packet + HEADER + q.name_size)
    q.qclass = <uint16_t>at16(packet + HEADER + q.name_size + 2)
    q.failed = not read_additional(packet, size, HEADER + q.size, q)
    return not q.failed


cdef bint read_name(const uint8_t *packet, Py_ssize_t size, Question *q) noexcept nogil:
    """The name of the question. It has nothing before it to point at, so a pointer is an error."""
    cdef Py_ssize_t at = HEADER, end
    cdef uint8_t c
    cdef uint32_t digest = 2166136261           # FNV-1a: the same in every worker, as Python's own is not
    cdef int i = 0
    q.labels = 0
    while at < size:
        c = packet[at]
        q.key[i] = c
        if c == 0:
            q.name_size = i + 1
            q.digest = digest
            return True
        end = at + 1 + c
        if c > LONGEST_LABEL or end - HEADER >= LONGEST_NAME or end > size:
            return False
        q.starts[q.labels] = <uint8_t>i
        q.labels += 1
        i += 1
        at += 1
        while at < end:
            c = packet[at]
            if <uint8_t>(c - 65) < 26:
                c |= 0x20
            q.key[i] = c
            digest = (digest ^ c) * 16777619
            i += 1
            at += 1
        digest = (digest ^ 46) * 16777619
    return False


cdef bint set_name(Question *q, const uint8_t *wire, Py_ssize_t size) noexcept nogil:
    """Have it be about this name, in wire form without compression; False: it is none."""
    return read_name(wire - HEADER, HEADER + size, q)


cdef void look_for_edns(const uint8_t *packet, Py_ssize_t size, Question *q) noexcept nogil:
    """Whether what is no query has an OPT record, behind as many questions and records as it says: none, or those of NOTIFY and UPDATE."""
    cdef Py_ssize_t at = HEADER
    cdef int _left
    for _left in range(at16(packet + 4)):
        at = name_end(packet, size, at)
        if at < 0 or at + 4 > size:
            return
        at += 4
    for _left in range(at16(packet + 6) + at16(packet + 8)):
        at = record_end(packet, size, at)
        if at < 0:
            return
    read_additional(packet, size, at, q)


cdef bint read_additional(const uint8_t *packet, Py_ssize_t size, Py_ssize_t at, Question *q) noexcept nogil:
    """One OPT record at most, owned by the root. What else is in the additional section is not ours, but has to be whole."""
    cdef Py_ssize_t start
    cdef int _left
    for _left in range(at16(packet + 10)):
        start = at
        at = name_end(packet, size, at)
        if at < 0 or at + FIXED > size:
            return False
        if at16(packet + at) == Type.OPT:
            if q.edns or packet[start] != 0:
                return False
            q.edns = True
            q.payload = <uint16_t>at16(packet + at + 2)
            q.version = packet[at + 5]
            q.dnssec = packet[at + 6] & DO != 0
            if not has_whole_options(packet + at + FIXED, at16(packet + at + 8), size - at - FIXED):
                return False
        at += FIXED + at16(packet + at + 8)
        if at > size:
            return False
    return True


cdef bint has_whole_options(const uint8_t *p, Py_ssize_t size, Py_ssize_t held) noexcept nogil:
    """Whether options end where their record does. What they say is passed over, cookies included (RFC 6891, section 6.1.2)."""
    cdef Py_ssize_t at = 0
    if size > held:
        return False
    while at < size:
        if at + 4 > size:
            return False
        at += 4 + at16(p + at + 2)
    return at == size


cdef Py_ssize_t name_end(const uint8_t *packet, Py_ssize_t size, Py_ssize_t at) noexcept nogil:
    """Where a record's name ends; -1: it is none."""
    cdef uint8_t c
    while at < size:
        c = packet[at]
        if c == 0:
            return at + 1
        if c >= POINTER:
            return at + 2 if at + 2 <= size else -1
        if c > LONGEST_LABEL:
            return -1
        at += c + 1
    return -1


cdef Py_ssize_t record_end(const uint8_t *packet, Py_ssize_t size, Py_ssize_t at) noexcept nogil:
    """Where a record ends; -1: it is cut off."""
    at = name_end(packet, size, at)
    if at < 0 or at + FIXED > size:
        return -1
    at += FIXED + at16(packet + at + 8)
    return at if at <= size else -1


cdef int limit(Question *q, bint tcp) noexcept nogil:
    """The most octets that this asker takes in one message (RFC 6891, sections 6.2.3 to 6.2.5)."""
    if tcp:
        return LONGEST
    return max(<int>CLASSIC, min(<int>q.payload, <int>PAYLOAD)) if q.edns else CLASSIC


cdef bytes essence(Question *q):
    """The query without what an answer does not depend on: header, question, and EDNS without options."""
    cdef uint8_t p[HEADER + 260 + 11]
    cdef int at = HEADER + q.size
    memcpy(p, q.packet, at)
    put16(p + 6, 0)
    put16(p + 8, 0)
    put16(p + 10, 1 if q.edns else 0)
    if q.edns:
        p[at] = 0
        put16(p + at + 1, Type.OPT)
        put16(p + at + 3, q.payload)
        put32(p + at + 5, DO << 8 if q.dnssec else 0)
        put16(p + at + 9, 0)
        at += 11
    return PyBytes_FromStringAndSize(<const char *>p, at)

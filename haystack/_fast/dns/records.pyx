"""Writes the zone's records into a message: sets begin with another one of them each time, and as many whole records as fit.

Never looks a name up, never decides what is asked.
"""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.string cimport memcpy, memset

from haystack._fast.dns.message cimport (
    POINTABLE, Section, address, close_record, name, open_named, open_record, plain, pointer,
)
from haystack._fast.dns.question cimport HEADER, Type, put16, put32
from haystack._fast.dns.zone cimport Target

cdef enum:
    PRIORITY = 100
    REFRESH = 3600          # the seconds of an SOA that secondaries would go by: there are none
    RETRY = 600
    EXPIRE = 86400
    NS_SIZE = 3
    MBOX_SIZE = 11
    NOBODY_SIZE = 16
    HINFO_SIZE = 9
    IN_ADDR_SIZE = 14
    IP6_SIZE = 10

cdef const uint8_t *NS = <const uint8_t *><const char *>b"\2ns"
cdef const uint8_t *MBOX = <const uint8_t *><const char *>b"\x0ahostmaster"
cdef const uint8_t *NOBODY = <const uint8_t *><const char *>b"\6nobody\7invalid\0"
cdef const uint8_t *HINFO = <const uint8_t *><const char *>b"\7RFC8482\0"
cdef const uint8_t *IN_ADDR = <const uint8_t *><const char *>b"\7in-addr\4arpa\0"
cdef const uint8_t *IP6 = <const uint8_t *><const char *>b"\3ip6\4arpa\0"


cdef void addresses(Message *m, int owner, const uint8_t *held, Py_ssize_t count, int size, uint32_t turn) noexcept nogil:
    """A or AAAA records of the name that was written at `owner`."""
    cdef Py_ssize_t _i, at
    if count == 0:
        return
    at = turn % count
    for _i in range(count):
        if not address(m, Section.ANSWER, owner, held + at * size, size):
            return
        at = at + 1 if at + 1 < count else 0


cdef void services(Message *m, int owner, View view, uint32_t turn) noexcept:
    """SRV records, and the addresses of their targets: whole sets of these, as many as fit (RFC 2782, RFC 2181 section 5)."""
    cdef Target *target
    cdef Py_ssize_t _i, at
    cdef uint8_t numbers[6]
    cdef int first = m.at
    if view.targets == 0:
        return
    at = turn % view.targets
    for _i in range(view.targets):
        target = &view.target[at]
        open_record(m, Section.ANSWER, owner, Type.SRV)
        put16(numbers, PRIORITY)
        put16(numbers + 2, target.weight)
        put16(numbers + 4, target.port)
        plain(m, numbers, 6)
        plain(m, target.name, target.name_size)         # RFC 2782: not compressed
        if not close_record(m):
            return
        at = at + 1 if at + 1 < view.targets else 0
    if view.twins:
        memset(view.said, 0, view.targets)
    owner = first
    for _i in range(view.targets):
        target = &view.target[at]
        owner += 18                                     # where the target's name stands in its record
        if not view.twins or not view.said[target.first]:
            additional(m, target, owner)
            if view.twins:
                view.said[target.first] = 1
        owner += target.name_size
        at = at + 1 if at + 1 < view.targets else 0


cdef void additional(Message *m, Target *target, int owner) noexcept:
    """A target's addresses, each kind where it has room."""
    host(m, target, owner, target.v4, 4 if target.has4 else 0, Type.A)
    host(m, target, owner, target.v6, 16 if target.has6 else 0, Type.AAAA)


cdef void host(Message *m, Target *target, int owner, const uint8_t *ip, int size, int rtype) noexcept:
    if size == 0:
        return
    if owner < POINTABLE:
        address(m, Section.ADDITIONAL, owner, ip, size)
    else:
        open_named(m, Section.ADDITIONAL, target.name, target.name_size, rtype)
        plain(m, ip, size)
        close_record(m)
    m.full = False          # a shorter one may have room


cdef void pointers(Message *m, int owner, list names) noexcept:
    """PTR records."""
    cdef bytes each
    for each in names:
        open_record(m, Section.ANSWER, owner, Type.PTR)
        name(m, <const uint8_t *>PyBytes_AS_STRING(each), <int>PyBytes_GET_SIZE(each))
        if not close_record(m):
            return


cdef int others(Message *m, int owner, list records, int qtype, uint32_t turn) except -1:
    """The records of that type from the file, or the CNAME that is there; where the data of that lies in the message; 0: there is none."""
    cdef uint32_t ttl = m.ttl
    cdef bytes data
    cdef int alias = 0
    found = [each for each in records if each[0] == qtype or each[0] == Type.CNAME]
    at = turn % len(found) if found else 0
    for rtype, m.ttl, data in found[at:] + found[:at]:
        open_record(m, Section.ANSWER, owner, rtype)
        plain(m, <const uint8_t *>PyBytes_AS_STRING(data), <int>PyBytes_GET_SIZE(data))
        if not close_record(m):
            break
        if rtype == Type.CNAME:
            alias = m.data
    m.ttl = ttl
    return alias


cdef void authority(Message *m, Zone zone, bint asked, int apex, bint of_origin) noexcept:
    """The SOA of the zone whose name was written at `apex`: asked for, or in an answer that denies, which lives as long.

    RFC 2308, section 3. of_origin: it is the zone of ORIGIN; another one names itself in the place of a server, so that nobody sends
    updates anywhere (RFC 6303, section 3).
    """
    cdef uint8_t numbers[20]
    open_record(m, Section.ANSWER if asked else Section.AUTHORITY, apex, Type.SOA)
    if of_origin:
        plain(m, NS, NS_SIZE)
    pointer(m, apex)
    if of_origin:
        plain(m, MBOX, MBOX_SIZE)
        pointer(m, apex)
    else:
        plain(m, NOBODY, NOBODY_SIZE)
    put32(numbers, zone.serial)
    put32(numbers + 4, REFRESH)
    put32(numbers + 8, RETRY)
    put32(numbers + 12, EXPIRE)
    put32(numbers + 16, zone.ttl)
    plain(m, numbers, 20)
    close_record(m)


cdef void nameserver(Message *m, int owner, bint of_origin, Own *own) noexcept:
    """The NS record of the name that was written at `owner`, and the name server's addresses, Haystack's own. of_origin: as above."""
    cdef int i, server
    open_record(m, Section.ANSWER, owner, Type.NS)
    server = m.at
    if of_origin:
        plain(m, NS, NS_SIZE)
    pointer(m, owner)
    if not close_record(m) or not of_origin:
        return
    for i in range(own.v4s):
        address(m, Section.ADDITIONAL, server, own.v4 + 4 * i, 4)
    for i in range(own.v6s):
        address(m, Section.ADDITIONAL, server, own.v6 + 16 * i, 16)


cdef void nothing_of_all(Message *m) noexcept nogil:
    """The answer to ANY: one small record in place of all, so that nobody is worth spoofing (RFC 8482, section 4.2)."""
    open_record(m, Section.ANSWER, HEADER, Type.HINFO)
    plain(m, HINFO, HINFO_SIZE)
    close_record(m)


cdef int reverse(uint8_t *p, const uint8_t *ip, int size) noexcept nogil:
    """The reverse name of an address in lower-case wire form, of 74 octets at most; its octets.

    RFC 1035, section 3.5, and RFC 3596, section 2.5.
    """
    cdef int i, at = 0
    cdef const char *digits = b"0123456789abcdef"
    if size == 4:
        for i in range(3, -1, -1):
            at += decimal(p + at, ip[i])
        memcpy(p + at, IN_ADDR, IN_ADDR_SIZE)
        return at + IN_ADDR_SIZE
    for i in range(15, -1, -1):
        p[at], p[at + 1] = 1, digits[ip[i] & 15]
        p[at + 2], p[at + 3] = 1, digits[ip[i] >> 4]
        at += 4
    memcpy(p + at, IP6, IP6_SIZE)
    return at + IP6_SIZE


cdef int decimal(uint8_t *p, int number) noexcept nogil:
    """A label of decimal digits; its octets."""
    cdef int at = 1
    if number >= 100:
        p[at] = <uint8_t>(48 + number // 100)
        at += 1
    if number >= 10:
        p[at] = <uint8_t>(48 + number // 10 % 10)
        at += 1
    p[at] = <uint8_t>(48 + number % 10)
    p[0] = <uint8_t>at
    return at + 1

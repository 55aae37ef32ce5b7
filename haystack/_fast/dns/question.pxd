# One DNS query, taken apart where it lies.
from libc.stdint cimport uint8_t, uint16_t, uint32_t

cdef enum:
    HEADER = 12
    LONGEST_NAME = 255
    MOST_LABELS = 128       # and one more than a name can have
    CLASSIC = 512           # RFC 1035, section 4.2.1: what a client without EDNS can take over UDP
    PAYLOAD = 1232          # RFC 9715, section 3.1: fits one IPv6 packet on any link, so no answer is ever fragmented
    LONGEST = 65535

cdef enum Flag:
    QR = 0x8000
    OPCODE = 0x7800
    AA = 0x0400
    TC = 0x0200
    RD = 0x0100
    RA = 0x0080
    CD = 0x0010

cdef enum Rcode:
    NOERROR = 0
    FORMERR = 1
    SERVFAIL = 2
    NXDOMAIN = 3
    NOTIMP = 4
    REFUSED = 5
    BADVERS = 16

cdef enum Type:
    A = 1
    NS = 2
    CNAME = 5
    SOA = 6
    PTR = 12
    HINFO = 13
    MX = 15
    TXT = 16
    AAAA = 28
    SRV = 33
    OPT = 41
    HTTPS = 65
    IXFR = 251
    AXFR = 252
    ANY = 255

cdef struct Question:
    const uint8_t *packet
    uint16_t flags          # of the header
    uint16_t qtype
    uint16_t qclass
    uint16_t payload        # octets that the asker takes in a datagram, by EDNS
    uint8_t version         # of EDNS
    bint edns
    bint dnssec             # DO
    bint failed             # no well-formed query: FORMERR
    int size                # octets of name, type and class, from HEADER on
    int name_size
    int labels              # how many, without the root
    uint32_t digest         # of the name in lower case
    uint8_t starts[MOST_LABELS]     # where each label begins in key
    uint8_t key[256]        # the name's wire form in lower case

cdef bint set_name(Question *q, const uint8_t *wire, Py_ssize_t size) noexcept nogil
cdef bint parse(const uint8_t *packet, Py_ssize_t size, Question *q) noexcept nogil
cdef int limit(Question *q, bint tcp) noexcept nogil
cdef bytes essence(Question *q)

cdef inline int at16(const uint8_t *p) noexcept nogil:
    return p[0] << 8 | p[1]

cdef inline void put16(uint8_t *p, int number) noexcept nogil:
    p[0] = <uint8_t>(number >> 8)
    p[1] = <uint8_t>number

cdef inline uint32_t at32(const uint8_t *p) noexcept nogil:
    return <uint32_t>p[0] << 24 | <uint32_t>p[1] << 16 | <uint32_t>p[2] << 8 | p[3]

cdef inline void put32(uint8_t *p, uint32_t number) noexcept nogil:
    p[0] = <uint8_t>(number >> 24)
    p[1] = <uint8_t>(number >> 16)
    p[2] = <uint8_t>(number >> 8)
    p[3] = <uint8_t>number

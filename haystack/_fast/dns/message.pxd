# One DNS message as it is written: the question as asked, records of which each is whole, and EDNS where the asker has it.
from libc.stdint cimport uint8_t, uint16_t, uint32_t
from haystack._fast.dns.question cimport Question

cdef enum Section:
    ANSWER = 0
    AUTHORITY
    ADDITIONAL

cdef enum:
    OPT_SIZE = 11
    POINTABLE = 0x4000      # RFC 1035, section 4.1.4: a pointer holds 14 bits

cdef struct Message:
    uint8_t *p          # as many octets as `limit` says lie here
    Question *question
    int at              # where the next octet goes
    int room            # what records must not pass: EDNS has its place behind it
    int counts[3]
    uint16_t flags
    bint full           # a record had no room: those that follow have none either
    uint32_t ttl        # of the records that are written
    Section section     # of the record that is open
    int start           # where that begins
    int data            # where its data begins

cdef void begin(Message *m, uint8_t *p, Question *question, int limit, int options) noexcept nogil
cdef int finish(Message *m, int rcode, const uint8_t *options, int options_size) noexcept nogil
cdef int refusal(uint8_t *p, Question *question, int rcode) noexcept nogil
cdef bint address(Message *m, Section section, int owner, const uint8_t *ip, int size) noexcept nogil
cdef void open_record(Message *m, Section section, int owner, int rtype) noexcept nogil
cdef void open_named(Message *m, Section section, const uint8_t *owner, int size, int rtype) noexcept nogil
cdef bint close_record(Message *m) noexcept nogil
cdef bint name(Message *m, const uint8_t *wire, int size) noexcept nogil
cdef bint pointer(Message *m, int to) noexcept nogil
cdef bint plain(Message *m, const uint8_t *data, int size) noexcept nogil

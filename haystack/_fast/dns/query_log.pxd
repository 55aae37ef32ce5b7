# The DNS log in a worker: a row for each answer.
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint64_t
from haystack._fast.dns.asker cimport Asker
from haystack._fast.dns.question cimport Question
from haystack._fast.util.buffer cimport Buffer

cdef struct Row:            # and behind it the address and the name in lower-case wire form, so many octets each
    int64_t at_us           # microseconds of Unix time
    int64_t ns              # from the question to its answer
    uint16_t qtype
    uint16_t rcode
    uint8_t source          # responder.Source
    uint8_t limited         # rate_limit.Limited
    uint8_t tcp
    uint8_t size            # octets of the address
    uint8_t name_size       # 0: there is no name, for it was no query

cdef class QueryLog:
    cdef Buffer rows
    cdef int64_t count, dropped

    cdef void write(self, Question *q, Asker *asker, int source, int rcode, int limited, int64_t ns) noexcept

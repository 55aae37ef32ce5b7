# Who asked for which name last.
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from haystack._fast.dns.asker cimport Asker
from haystack._fast.dns.question cimport Question

cdef struct Asking:
    uint64_t digest         # of name and address; 0: nobody has asked yet
    int64_t last            # milliseconds
    uint32_t times
    uint16_t kinds          # of questions: a bit by its place in responder.KIND_NAMES
    uint8_t name_size
    uint8_t size            # octets of the address
    uint8_t ip[16]
    uint8_t *name           # lower-case wire form

cdef class Askers:
    cdef Asking *rows

    cdef void note(self, Question *q, Asker *asker, int kind, int64_t now) noexcept

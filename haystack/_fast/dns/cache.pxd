# Answers of other nameservers, as long as they may be kept.
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from haystack._fast.dns.question cimport Question
from haystack._fast.util.linked_list cimport Link, Ring

cdef enum:
    KEY_END = 3             # octets of a question's key behind its name

cdef class Entry:
    cdef bytes key
    cdef bytes body         # what follows the question
    cdef bytes ends         # uint16_t each: where each record of body ends
    cdef bytes ages         # uint16_t each: where each TTL of body lies
    cdef bytes options      # of EDNS
    cdef int counts[3]
    cdef uint16_t flags     # AA, TC, RA: what the answer says of itself
    cdef int rcode
    cdef int64_t born       # milliseconds
    cdef int64_t until      # the end of its life
    cdef uint64_t borders   # of the zone when it was last seen not to be ours
    cdef bint asked         # for a fresh one, since it is about to end
    cdef Link link
    cdef Py_ssize_t size

cdef class Cache:
    cdef dict entries
    cdef Ring ring          # the least recently used first
    cdef readonly Py_ssize_t size       # octets
    cdef Py_ssize_t most

    cdef Entry find(self, bytes key)
    cdef int keep(self, Entry entry) except -1
    cdef int drop(self, Entry entry) except -1

cdef bint is_spare(Entry entry, int64_t now) noexcept
cdef bytes key_of(Question *q)
cdef int write(Entry entry, uint8_t *p, Question *q, int limit, int64_t now, bint stale) noexcept

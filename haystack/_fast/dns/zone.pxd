# The zone in a worker: names, and what they hold as it is sent.
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from haystack._fast.dns.question cimport Question

cdef enum Mark:             # of a row, as haystack/dns/rows.py has them
    APEX = 1                # the names below are ours too, and answers that deny bear its SOA
    OWN = 2                 # has Haystack's own address
    PUBLIC = 4              # anybody may ask for it
    EMPTY = 8               # is there for the names below it alone (RFC 8020)
    NEAREST = 32            # of its hosts those alone that share a network with the asker, where there are any
    OPENED = 16             # it and the names below are others' to answer, but for those that are there

cdef struct Target:
    uint16_t weight
    uint16_t port
    uint8_t name_size
    bint has4, has6
    const uint8_t *name     # in wire form
    Py_ssize_t first        # the first target of the same name
    uint8_t v4[4]
    uint8_t v6[16]

cdef class View:
    cdef Py_ssize_t v4s, v6s, targets
    cdef uint8_t *v4        # 4 octets each
    cdef uint8_t *v6        # 16 octets each
    cdef Target *target
    cdef bint twins         # two targets have the same name
    cdef uint8_t *said      # by target: it has been given already; NULL where none has a twin

cdef class Node:
    cdef int marks
    cdef list hosts         # of [IPv4, IPv6, [network's number, IPv4, IPv6] …]
    cdef list targets       # of [weight, port, name, host]
    cdef list pointers      # names in wire form
    cdef list records       # of [type, TTL, data in wire form]
    cdef bytes alias        # of a CNAME: where it leads, in lower-case wire form; None: it is none
    cdef bint near          # what it holds depends on the asker's network
    cdef View view          # for who is on no network that we know
    cdef dict views         # by network

    cdef View of(self, uint32_t network)
    cdef View seen_from(self, uint32_t network)

cdef class Zone:
    cdef readonly dict nodes        # name in lower-case wire form → its row as it came, or once asked for a Node
    cdef bytes origin
    cdef readonly uint32_t serial
    cdef readonly uint32_t ttl
    cdef readonly uint64_t borders  # counts up when what is ours, and what not, may have changed

    cdef Node at(self, const uint8_t *key, int size)
    cdef int descend(self, Question *q, int *apex, int *encloser) except -1
    cdef Node wild(self, Question *q)
    cdef bint is_origin(self, Question *q, int label) noexcept
    cdef int apex(self, Question *q) except -2
    cdef bint changes_borders(self, bytes key, int marks) except -1

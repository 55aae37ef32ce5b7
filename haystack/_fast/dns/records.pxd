# Records of the zone as they are written.
from libc.stdint cimport uint8_t, uint32_t
from haystack._fast.dns.message cimport Message
from haystack._fast.dns.zone cimport View, Zone

cdef struct Own:            # Haystack's own addresses, as an asker reaches it
    const uint8_t *v4       # one behind the other
    const uint8_t *v6
    int v4s
    int v6s

cdef void addresses(Message *m, int owner, const uint8_t *held, Py_ssize_t count, int size, uint32_t turn) noexcept nogil
cdef void services(Message *m, int owner, View view, uint32_t turn) noexcept
cdef void pointers(Message *m, int owner, list names) noexcept
cdef int others(Message *m, int owner, list records, int qtype, uint32_t turn) except -1
cdef void authority(Message *m, Zone zone, bint asked, int apex, bint of_origin) noexcept
cdef void nameserver(Message *m, int owner, bint of_origin, Own *own) noexcept
cdef void nothing_of_all(Message *m) noexcept nogil
cdef int reverse(uint8_t *p, const uint8_t *ip, int size) noexcept nogil

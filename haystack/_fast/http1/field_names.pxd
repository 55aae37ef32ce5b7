from libc.stdint cimport uint16_t, uint32_t
from libc.string cimport memcpy
from haystack._fast.http1.head cimport Kind

cdef enum:
    BUCKETS = 256
    SPREAD = 0x8052D661         # found by trial: Accept, Cookie and the like have nobody in their buckets

cdef unsigned char buckets[BUCKETS]         # of names that mean something; the first one's place, 0: there is none
cdef int kind_in(int place, const char *name, int size) noexcept nogil
cdef bint is_disguised(const char *name, int size) noexcept nogil


cdef inline int bucket(const char *name, int size) noexcept nogil:
    """The same in any case: the bit that tells cases apart is set. The name has two bytes at least."""
    cdef uint16_t head, tail
    memcpy(&head, name, 2)
    memcpy(&tail, name + size - 2, 2)
    return (((head | <uint32_t>tail << 16 | 0x20202020) + (<uint32_t>size << 24)) * <uint32_t>SPREAD) >> 24


cdef inline int kind_of(const char *name, int size) noexcept nogil:
    """The Kind of the field of this name. Most names end here, without a call."""
    cdef int place = buckets[bucket(name, size)] if size > 1 else 0
    return kind_in(place, name, size) if place or size > 11 and name[11] == c'-' else Kind.OTHER

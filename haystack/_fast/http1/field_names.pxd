from haystack._fast.http1.head cimport Kind

cdef enum:
    BUCKETS = 256

cdef unsigned char buckets[BUCKETS]         # of names that mean something; the first one's place, 0: there is none
cdef int kind_in(int place, const char *name, int size) noexcept nogil
cdef bint is_disguised(const char *name, int size) noexcept nogil


cdef inline int bucket(const char *name, int size) noexcept nogil:
    """The same in any case: the bit that tells cases apart is set."""
    return ((name[0] | 32) + 7 * (name[size - 1] | 32) + 3 * (name[size >> 1] | 32) + 31 * size) & (BUCKETS - 1)


cdef inline int kind_of(const char *name, int size) noexcept nogil:
    """The Kind of the field of this name, which has one byte at least. Most names end here, without a call."""
    cdef int place = buckets[bucket(name, size)]
    return kind_in(place, name, size) if place or size > 11 and name[11] == c'-' else Kind.OTHER

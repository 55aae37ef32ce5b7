# A growable run of bytes that its holder owns: add at the end, take from the front, free by its holder.
# Plain C and inline: no Python object, so that an idle connection costs nothing for it.
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memmove
from haystack._fast.util.allocations cimport IS_DEBUG, Asset, book

cdef struct Buffer:
    char *data
    size_t start        # first byte that is still wanted
    size_t end          # one past the last
    size_t capacity

cdef inline size_t pending(Buffer *b) noexcept nogil:
    return b.end - b.start

cdef inline int reserve(Buffer *b, size_t more) except -1 nogil:
    """Make room for `more` bytes at the end. MemoryError when there is none."""
    cdef size_t wanted
    cdef char *data
    if b.capacity - b.end >= more:
        return 0
    if b.start:
        memmove(b.data, b.data + b.start, b.end - b.start)
        b.end -= b.start
        b.start = 0
    if b.capacity - b.end >= more:
        return 0
    wanted = b.capacity if b.capacity else 512
    while wanted - b.end < more:
        wanted *= 2
    data = <char *>realloc(b.data, wanted)
    if data == NULL:
        with gil:
            raise MemoryError
    if IS_DEBUG and b.data == NULL:
        book(Asset.BUFFER, 1)
    b.data = data
    b.capacity = wanted
    return 0

cdef inline int add(Buffer *b, const char *data, size_t size) except -1 nogil:
    if size == 0:           # C has no copy of nothing to or from nowhere
        return 0
    if b.capacity - b.end < size:
        reserve(b, size)
    memcpy(b.data + b.end, data, size)
    b.end += size
    return 0

cdef inline char *put(char *at, const char *data, size_t size) noexcept nogil:
    """Copy to where there is room, for who has reserved it for several pieces; the place behind."""
    memcpy(at, data, size)
    return at + size

cdef inline void take(Buffer *b, size_t size) noexcept nogil:
    """Drop `size` bytes from the front; an emptied buffer starts over at its beginning."""
    b.start += size
    if b.start >= b.end:
        b.start = b.end = 0

cdef inline void release(Buffer *b) noexcept nogil:
    if IS_DEBUG and b.data != NULL:
        book(Asset.BUFFER, -1)
    free(b.data)
    b.data = NULL
    b.start = b.end = b.capacity = 0

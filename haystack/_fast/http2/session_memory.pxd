# The memory of nghttp2's sessions.
from libc.stdint cimport int64_t
from haystack._fast.http2.nghttp2 cimport nghttp2_mem
from haystack._fast.util.linked_list cimport Link

cdef struct SessionMemory:      # of one session
    char *room          # for its largest blocks; NULL: none
    size_t taken        # bytes of the room's first page,
    bint whole          # and whether the second one is
    bint made           # the session is: what it asks for from now on is the C library's
    bint lent           # it has the block in which a frame is written
    void *packed        # what stood in the room, while that is vacated; NULL: it is not
    int64_t rested      # milliseconds at which its connection came to rest last
    Link link           # among those that are to be packed

cdef nghttp2_mem session_memory(SessionMemory *memory) noexcept
cdef void end_memory(SessionMemory *memory) noexcept
cdef bint pack(SessionMemory *memory) noexcept
cdef void unpack(SessionMemory *memory) noexcept

cdef inline void rouse(SessionMemory *memory) noexcept:
    """Before nghttp2 is called: have it find what is its."""
    if memory.packed != NULL:
        unpack(memory)

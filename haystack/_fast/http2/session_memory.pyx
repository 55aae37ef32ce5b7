"""The memory of nghttp2's sessions. A session of a client that asks for nothing costs a fraction of what it needs at work.

- The block in which a frame is written (16 KiB) is one for all sessions of a process. A session asks for it at its start and keeps it for
  its life. What stands in it counts only until it has been copied out: whoever calls nghttp2_session_mem_send copies what that returns
  before anything else is sent. A head of several such blocks has memory of its own for all but the first.
- The large blocks that a session asks for at its start stand in a room of two pages (rooms.pyx): its state, one of the two tables of HPACK
  and its table of streams, which has a page to itself. Most of that are zeros. `pack` keeps the rest in a small block and vacates the room;
  between that and `unpack`, nobody may call nghttp2 for the session.
- All else is the C library's.
"""
from libc.stdint cimport uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcpy, memset

from haystack._fast.http2.nghttp2 cimport nghttp2_mem
from haystack._fast.http2.rooms cimport PAGE, ROOM, enter, give_room, take_room, vacate
from haystack._fast.util.allocations cimport IS_DEBUG, Asset, book
from haystack._fast.util.linked_list cimport leave

cdef extern from *:
    int trailing_zeros "__builtin_ctzll"(unsigned long long) nogil

cdef enum:
    FRAME = 16394           # bytes: a frame's head, one for its padding, and a payload of 16 KiB (nghttp2_frame.h)
    LEAST = 512             # bytes of a block that stands in the room,
    STEP = 16               # at a multiple of these
    WORD = 8                # bytes: what is packed as one, and zeros are left out
    WORDS = 1024            # in a room
    MAPS = 16               # words with a bit for each of those

cdef char[FRAME] frame


cdef nghttp2_mem session_memory(SessionMemory *memory) noexcept:
    """For one session. memory: empty, and lives as long as the session; `made` is to be set once that is there."""
    memory.room = take_room()
    return nghttp2_mem(<void *>memory, take, give_back, take_zeroed, take_other)


cdef void end_memory(SessionMemory *memory) noexcept:
    """The session is no more, or was never made."""
    rouse(memory)
    leave(&memory.link)
    if memory.room != NULL:
        give_room(memory.room)
    memset(memory, 0, sizeof(SessionMemory))


cdef bint is_within(SessionMemory *memory, void *block) noexcept:
    return memory.room != NULL and memory.room <= <char *>block < memory.room + ROOM


cdef char *place(SessionMemory *memory, size_t size) noexcept:
    """Where such a block has its place in the room; NULL: nowhere."""
    cdef char *at
    if memory.made or memory.room == NULL or size < LEAST or size > PAGE:
        return NULL
    if size > PAGE - LEAST and not memory.whole:
        memory.whole = True
        return memory.room + PAGE
    size = (size + STEP - 1) // STEP * STEP
    if size > PAGE - memory.taken:
        return NULL
    at = memory.room + memory.taken
    memory.taken += size
    return at


cdef void *take(size_t size, void *user) noexcept:
    cdef SessionMemory *memory = <SessionMemory *>user
    cdef char *at
    if size == FRAME and not memory.lent:
        memory.lent = True
        return <void *>frame
    at = place(memory, size)
    return <void *>at if at != NULL else malloc(size)


cdef void give_back(void *block, void *user) noexcept:
    cdef SessionMemory *memory = <SessionMemory *>user
    if block == <void *>frame:
        memory.lent = False
    elif not is_within(memory, block):  # the room is given back as one
        free(block)


cdef void *take_zeroed(size_t count, size_t size, void *user) noexcept:
    cdef char *at
    if size and count > PAGE // size:
        return calloc(count, size)
    at = place(<SessionMemory *>user, count * size)
    return memset(at, 0, count * size) if at != NULL else calloc(count, size)


cdef void *take_other(void *block, size_t size, void *user) noexcept:
    cdef SessionMemory *memory = <SessionMemory *>user
    cdef size_t most = FRAME
    cdef void *other
    if block == NULL:
        return take(size, user)         # as nghttp2 asks for the block of a frame
    if is_within(memory, block):
        most = ROOM - (<char *>block - memory.room)     # no more can be its
    elif block != <void *>frame:
        return realloc(block, size)
    other = malloc(size)
    if other != NULL:
        memcpy(other, block, min(size, most))
        give_back(block, user)
    return other


cdef bint pack(SessionMemory *memory) noexcept:
    """Vacate the room of a session that nobody uses until `unpack`; False: that would save too little, or can't be done."""
    cdef uint64_t *words = <uint64_t *>memory.room
    cdef uint64_t maps[MAPS]
    cdef uint64_t *kept
    cdef int i, end = WORDS if memory.whole else WORDS // 2, count = 0
    if memory.room == NULL or memory.packed != NULL or not memory.made:
        return False
    memset(maps, 0, sizeof(maps))
    for i in range(end):
        if words[i]:
            maps[i >> 6] |= <uint64_t>1 << (i & 63)
            count += 1
    if count > end // 2:
        return False                    # packing would save little
    kept = <uint64_t *>malloc((MAPS + count) * WORD)
    if kept == NULL:
        return False
    memcpy(kept, maps, sizeof(maps))
    count = MAPS
    for i in range(end):
        if words[i]:
            kept[count] = words[i]
            count += 1
    if not vacate(memory.room):
        free(kept)
        return False
    if IS_DEBUG:
        book(Asset.BUFFER, 1)
    memory.packed = kept
    return True


cdef void unpack(SessionMemory *memory) noexcept:
    """Have in the room again what was there."""
    cdef uint64_t *words = <uint64_t *>memory.room
    cdef uint64_t *kept = <uint64_t *>memory.packed
    cdef uint64_t bits
    cdef int i, count = MAPS
    enter(memory.room)
    for i in range(MAPS):
        bits = kept[i]
        while bits:
            words[(i << 6) + trailing_zeros(bits)] = kept[count]
            count += 1
            bits &= bits - 1
    if IS_DEBUG:
        book(Asset.BUFFER, -1)
    memory.packed = NULL
    free(kept)

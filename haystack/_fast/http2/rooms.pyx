"""Rooms of two pages each, which a session of HTTP/2 has its largest blocks in: the kernel can have such pages back while nobody uses them.

They come by the mebibyte, and the addresses are never given up; the pages are, but for those of a few free rooms. A page that was vacated
reads as zeros, and takes memory once it is written to again (madvise(2), MADV_DONTNEED). Where pages are larger, there are no rooms.
"""
from libc.stdlib cimport realloc

from haystack._fast.util.allocations cimport IS_DEBUG, Asset, book

cdef extern from "sys/mman.h" nogil:
    enum:
        PROT_NONE
        PROT_READ
        PROT_WRITE
        MAP_PRIVATE
        MAP_ANONYMOUS
        MADV_DONTNEED
        MADV_NOHUGEPAGE
    void *MAP_FAILED
    void *mmap(void *, size_t, int, int, int, long)
    int madvise(void *, size_t, int)
    int mprotect(void *, size_t, int)
cdef extern from "unistd.h" nogil:
    enum:
        _SC_PAGESIZE
    long sysconf(int)

cdef enum:
    AT_ONCE = 128           # rooms that the kernel is asked for
    WARM = 64               # free ones that keep their pages: connections come and go

cdef char *warm[WARM]
cdef int warm_count = 0
cdef char **cold = NULL     # free rooms without pages; it has place for all that there are
cdef size_t cold_count = 0, made = 0
cdef bint fits = sysconf(_SC_PAGESIZE) == PAGE


cdef char *take_room() noexcept:
    """One for whoever calls, with anything in it; NULL: there is none."""
    global warm_count, cold_count
    if warm_count == 0 and cold_count == 0 and not make_rooms():
        return NULL
    if IS_DEBUG:
        book(Asset.BUFFER, 1)
    if warm_count:
        warm_count -= 1
        return warm[warm_count]
    cold_count -= 1
    return cold[cold_count]


cdef void give_room(char *room) noexcept:
    """Take back one that is nobody's any more."""
    global warm_count, cold_count
    if IS_DEBUG:
        book(Asset.BUFFER, -1)
    if warm_count < WARM:
        warm[warm_count] = room
        warm_count += 1
        return
    madvise(room, ROOM, MADV_DONTNEED)
    cold[cold_count] = room
    cold_count += 1


cdef bint make_rooms() noexcept:
    global cold, cold_count, made
    cdef void *place
    cdef char *rooms
    cdef int i
    if not fits:
        return False
    place = realloc(cold, (made + AT_ONCE) * sizeof(char *))
    if place == NULL:
        return False
    cold = <char **>place
    place = mmap(NULL, AT_ONCE * ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    if place == MAP_FAILED:
        return False
    madvise(place, AT_ONCE * ROOM, MADV_NOHUGEPAGE)     # a huge page would be there whole as soon as one room is used
    rooms = <char *>place
    for i in range(AT_ONCE):
        cold[cold_count] = rooms + (AT_ONCE - 1 - i) * ROOM
        cold_count += 1
    made += AT_ONCE
    return True


cdef bint vacate(char *room) noexcept:
    """Give back its pages, and what is in them; False: the kernel takes none (as those of mlockall(2)), and all is as it was.

    In the debug build, nobody may touch it until `enter`.
    """
    if madvise(room, ROOM, MADV_DONTNEED):
        return False
    if IS_DEBUG:
        mprotect(room, ROOM, PROT_NONE)
    return True


cdef void enter(char *room) noexcept:
    """It is to be used again, and reads as zeros."""
    if IS_DEBUG:
        mprotect(room, ROOM, PROT_READ | PROT_WRITE)

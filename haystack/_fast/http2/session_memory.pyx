"""The memory of nghttp2's sessions: the C library's, but for the block in which a frame is written, which all sessions of a process share.

A session asks for that block (16 KiB) at its start and keeps it for its life; without sharing it would be most of the memory of an idle
connection. What stands in it counts only until it has been copied out: whoever calls nghttp2_session_mem_send copies what that returns
before anything else is sent. A head of several such blocks has memory of its own for all but the first.
"""
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcpy

from haystack._fast.http2.nghttp2 cimport nghttp2_mem

cdef enum:
    FRAME = 16394           # bytes: a frame's head, one for its padding, and a payload of 16 KiB (nghttp2_frame.h)

cdef char[FRAME] frame


cdef nghttp2_mem session_memory(bint *lent) noexcept:
    """For one session. lent: whether it has the shared block; must live as long as the session."""
    return nghttp2_mem(<void *>lent, take, give_back, take_zeroed, take_other)


cdef void *take(size_t size, void *lent) noexcept:
    if size != FRAME or (<bint *>lent)[0]:
        return malloc(size)
    (<bint *>lent)[0] = True
    return <void *>frame


cdef void give_back(void *block, void *lent) noexcept:
    if block == <void *>frame:
        (<bint *>lent)[0] = False
    else:
        free(block)


cdef void *take_zeroed(size_t count, size_t size, void *lent) noexcept:
    return calloc(count, size)


cdef void *take_other(void *block, size_t size, void *lent) noexcept:
    cdef void *other
    if block == NULL:
        return take(size, lent)         # as nghttp2 asks for the block of a frame
    if block != <void *>frame:
        return realloc(block, size)
    other = malloc(size)
    if other != NULL:
        memcpy(other, block, min(size, <size_t>FRAME))
        give_back(block, lent)
    return other

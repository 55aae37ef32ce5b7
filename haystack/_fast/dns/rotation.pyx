"""Which record comes first: another one with each answer, whichever worker gives it (RFC 1794).

The counters lie in memory that all workers map, for the kernel hands one asker's questions now to this worker, now to that one.
"""
import mmap

from libc.stdint cimport uintptr_t

cdef extern from *:
    """
    #define HAYSTACK_NEXT(p) __atomic_fetch_add((p), 1, __ATOMIC_RELAXED)
    """
    uint32_t HAYSTACK_NEXT(uint32_t *) noexcept nogil

SIZE = TURNS * sizeof(uint32_t)


cdef class Rotation:
    """file: descriptor of SIZE bytes that are shared with the other workers; -1: of this process alone."""

    def __init__(self, int file=-1):
        cdef unsigned char[::1] view
        self.held = mmap.mmap(file, SIZE)
        view = self.held
        self.turns = <uint32_t *><uintptr_t>&view[0]

    cdef uint32_t next(self, uint32_t digest, int qtype) noexcept:
        """Counts up with each call for that name and type, and wraps around."""
        return HAYSTACK_NEXT(&self.turns[(digest ^ (<uint32_t>qtype * 2654435761)) % TURNS])

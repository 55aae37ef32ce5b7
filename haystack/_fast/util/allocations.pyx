"""Counters of live objects that must not leak: sockets, endpoints, malloc'ed buffers, and what DNS keeps. Counted in the debug build alone.

A worker looks at it when it ends, with everything let go of. Never frees anything.
"""

cdef int64_t[7] alive

DEBUG = bool(IS_DEBUG)


cdef void book(Asset asset, int64_t by) noexcept nogil:
    """One more (by = 1) or one less (by = -1) of an asset. Call it behind `if IS_DEBUG`."""
    alive[<int>asset] += by


NAMES = ("sockets", "endpoints", "buffers", "answers", "views", "waiters", "tls")  # in the order of Asset


def live():
    """How many there are of each, by NAMES; all 0 in the release build."""
    return {name: alive[number] for number, name in enumerate(NAMES)}

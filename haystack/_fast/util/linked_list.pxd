# A list of things in the order in which they joined it, the oldest first: each holds its own link, so that joining and leaving
# allocate nothing and cost a few instructions. Plain C and inline. Whoever goes away leaves first.

cdef struct Link:
    Link *older
    Link *newer
    Ring *ring          # in which it stands; NULL: in none
    void *owner

cdef struct Ring:
    Link *oldest
    Link *newest
    Py_ssize_t count

cdef inline void leave(Link *link) noexcept nogil:
    """Out of the ring that it stands in, if any."""
    cdef Ring *ring = link.ring
    if ring == NULL:
        return
    if link.older != NULL:
        link.older.newer = link.newer
    else:
        ring.oldest = link.newer
    if link.newer != NULL:
        link.newer.older = link.older
    else:
        ring.newest = link.older
    link.ring = NULL
    ring.count -= 1

cdef inline void join(Ring *ring, Link *link) noexcept nogil:
    """To the end of the ring, as its newest, out of any other."""
    leave(link)
    link.older = ring.newest
    link.newer = NULL
    link.ring = ring
    if ring.newest != NULL:
        ring.newest.newer = link
    else:
        ring.oldest = link
    ring.newest = link
    ring.count += 1

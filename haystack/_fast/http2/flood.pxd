# How much of what carries no request a peer may send: frames that cost it little and us more (CVE-2019-9511 to 9518, CVE-2023-44487,
# CVE-2024-27316). A bucket that fills with them and empties with time and with what is sent to the peer. Plain C and inline.
from libc.stdint cimport int64_t

cdef enum:
    FULL = 2000             # frames; from here on the peer is sent away
    EACH_MS = 5             # one leaks in so many milliseconds
    OF_RESET = 10           # a stream that is reset before its answer has cost an endpoint's connection
    OF_SETTINGS = 20        # each may change the windows of all streams
    OF_DROPPED = 2          # a field section that nobody reads, as one behind the answer to its request
    OF_EMPTY = 5            # a frame that could have been left out, or of a head that comes in pieces

cdef struct Flood:
    int64_t level
    int64_t at              # milliseconds

cdef inline bint overflows(Flood *flood, int cost, int64_t now) noexcept nogil:
    """Take in one frame; whether that was one too many."""
    if now > flood.at:
        flood.level = max(<int64_t>0, flood.level - (now - flood.at) // EACH_MS)
        flood.at = now - (now - flood.at) % EACH_MS if flood.at else now
    flood.level += cost
    return flood.level > FULL

cdef inline void earn(Flood *flood, int frames) noexcept nogil:
    """So many frames of data went to the peer, which may answer each."""
    flood.level = max(<int64_t>0, flood.level - 2 * frames)

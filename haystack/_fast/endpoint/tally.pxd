# What is counted of exchanges that have ended, between two reports to the control process. Allocated when first used. Plain C.
from libc.stdint cimport int64_t, uint32_t
from haystack._fast.http1.method cimport Method

cdef enum:
    SLOTS = 106             # of durations (model/durations.py)
    CLASSES = 6             # of statuses: none, 1xx to 5xx
    CELLS = Method.METHODS * CLASSES

cdef struct Tally:          # of an endpoint in a service, or of a service's exchanges that no endpoint had
    int64_t received, sent  # bytes of the bodies
    int64_t ns              # that they took in all
    uint32_t classes[CLASSES]
    uint32_t retries        # of an endpoint: tries after which another one was looked for
    uint32_t slots[SLOTS]

cdef struct QueueTally:     # of a service on a listener
    Tally alone             # exchanges that no endpoint had
    uint32_t cells[CELLS]   # all exchanges, by method and class of status
    uint32_t retries
    uint32_t waits          # exchanges that were in the queue
    int64_t waited_ms
    int waiting             # in the queue, as was last told

cdef object take(Tally *tally)
cdef int slot_of(int64_t ns) noexcept

cdef inline int class_of(int status) noexcept nogil:
    """0: the client got no answer."""
    cdef int found = status // 100
    return found if found < CLASSES else CLASSES - 1

cdef inline void add(Tally *tally, int kind, int64_t received, int64_t sent, int64_t ns) noexcept:
    """One more exchange, of this class of statuses. How long a tunnel was open is no duration of an answer."""
    tally.received += received
    tally.sent += sent
    tally.classes[kind] += 1
    if kind != 1:
        tally.ns += ns
        tally.slots[slot_of(ns)] += 1

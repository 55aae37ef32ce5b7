# What a request waits for that no endpoint takes now, and for how long. Pure: no socket, no clock.
from libc.stdint cimport int64_t

cdef enum Reason:
    NOTHING = 0
    ROOM                    # all endpoints are full
    ENDPOINT                # the service has none
    NEWS                    # all endpoints failed: where one was stopped, its event is on the way

cdef struct PendingState:   # of one request; times in milliseconds
    Reason reason
    bint joined             # it stood in the queue before: who was woken in vain stands first again
    int64_t until           # when it is over
    int64_t news_until      # how long it waits for news in all, however many come; 0: it has not yet

cdef enum Decision:
    JOIN = 0                # the queue, behind the others
    JOIN_FIRST
    GIVE_UP
    NO_QUEUE                # waiting for room is switched off
    QUEUE_FULL
    GO_ON                   # with the next candidate
    LOOK_AGAIN              # with the next tick
    WAIT_FOR_ENDPOINT

cdef Decision for_room(PendingState *p, bint failed, int64_t queue_ms, bint has_place, int64_t now) noexcept
cdef Decision for_endpoint(PendingState *p, bint failed, int64_t end, bint has_place, int64_t now) noexcept
cdef Decision for_news(PendingState *p, bint failed, int64_t wait_ms, bint has_place, int64_t now) noexcept
cdef Decision for_cause(PendingState *p, bint acquitted, bint others, bint empty, int64_t wait_ms, int64_t now) noexcept

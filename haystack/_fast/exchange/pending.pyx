"""What a request waits for that no endpoint takes now, and for how long.

If all endpoints are full, the request waits for room. If the service has no endpoint, or all of them fail, it waits for news: Docker
reports a container that stops within milliseconds, and a restarted one within seconds. If the reason changes, the time limit starts anew,
except that the time for news is limited in all.
"""

cdef enum:
    NEWS_MS = 1000          # for news of endpoints that all failed
    CAUSE_MS = 500          # for the news that an endpoint which broke off had been told to stop


cdef Decision for_room(PendingState *p, bint failed, int64_t queue_ms, bint has_place, int64_t now) noexcept:
    """All endpoints are full. failed: one was tried since it waited last; has_place: one more may stand in the queue."""
    if queue_ms == 0:
        return Decision.NO_QUEUE
    if not p.joined and not has_place:
        return Decision.QUEUE_FULL
    if p.reason != Reason.ROOM or failed:
        p.until = now + queue_ms
    p.reason = Reason.ROOM
    return Decision.JOIN_FIRST if p.joined else Decision.JOIN


cdef Decision for_endpoint(PendingState *p, bint failed, int64_t end, bint has_place, int64_t now) noexcept:
    """The service has no endpoint. end: when it has been without for as long as its requests wait."""
    if p.joined and not failed and (p.reason == Reason.ENDPOINT or p.reason == Reason.NEWS):
        end = min(end, p.until)         # it waits for one already: another start of the same container prolongs nothing
    p.reason = Reason.ENDPOINT
    p.until = end
    return Decision.JOIN if end > now and has_place else Decision.GIVE_UP


cdef Decision for_news(PendingState *p, bint failed, int64_t wait_ms, bint has_place, int64_t now) noexcept:
    """All endpoints were tried. failed: the last one failed in a way that its stop would explain."""
    if p.news_until == 0:
        p.news_until = now + min(<int64_t>NEWS_MS, wait_ms)
    if not failed or now >= p.news_until or not has_place:
        return Decision.GIVE_UP
    p.reason = Reason.NEWS
    p.until = p.news_until
    return Decision.JOIN


cdef Decision for_cause(PendingState *p, bint acquitted, bint others, bint empty, int64_t wait_ms, int64_t now) noexcept:
    """Two endpoints that may have seen the request broke off: it may be what kills them, so no other endpoint is sent it.

    Two findings speak for another cause, and then the request goes on as any does. acquitted: one of the two had been told to stop (the
    word of that may come after the end of its connections). empty, and others: all other endpoints, which the request never reached, have
    gone too within a moment, as with their engine or host.
    """
    if p.news_until == 0:
        p.news_until = now + min(<int64_t>(NEWS_MS if others else CAUSE_MS), wait_ms)
    if acquitted or (others and empty):
        p.news_until = 0
        return Decision.GO_ON if acquitted else Decision.WAIT_FOR_ENDPOINT
    return Decision.LOOK_AGAIN if now < p.news_until else Decision.GIVE_UP

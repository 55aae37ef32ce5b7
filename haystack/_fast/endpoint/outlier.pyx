"""Outlier detection among the endpoints of a service.

Endpoints that fail are avoided for a moment. Endpoints that accept connections and never answer are found as follows.

An endpoint becomes suspect if it has sent nothing since it got a request, for longer than is usual in its service (latency.pyx), while
other endpoints answer. It then gets one or two more requests, the probes. If these are not answered either, while other endpoints answer,
the endpoint is silent: its requests are retried at other endpoints if they can be repeated, and it gets only one request now and then until
it answers. Slow services are safe: no endpoint becomes suspect while as many wait as answer, at most half of a service is silent, and a
moved request is not evidence, unless it was moved as a sample.

If every client waits for this endpoint, the other endpoints get no requests, and so answer none. Then one request is moved to another
endpoint as a sample. If it is answered there in less time than it has waited here, this endpoint is silent. If it takes as long there,
the request itself is slow.

      HEALTHY ── quiet for too long, others answer ──▶ SUSPECT ── probes unanswered, others answer ──▶ SILENT
         │                                                └───── a sample is answered sooner elsewhere ──▶ ▲
         └────────────────────────────────────────────────────── a sample is answered sooner elsewhere ──▶ ┘
      SUSPECT ── it answers; no request waits there any more; no other endpoint answers, or none is left ──▶ HEALTHY
      SILENT ── it answers; or it has left the table and does not come back for ten minutes ──▶ HEALTHY
      any of them ── its process is new ──▶ HEALTHY

Pure: the input is a state and what was observed, the output an Action. exchange/outliers.pyx and the simulation carry it out.
"""

cdef enum:
    QUIET_MS = 250          # without a word before an endpoint is suspected,
    DOUBLED = 3             # and twice as long, so many times, after each vain suspicion: one slow request must not bring all others
    PROBE_MS = 80           # that a probe is given
    ENOUGH = 3              # requests without an answer, probes among them, before it is judged
    MANY = 5                # of these, and four times the time, need no probe: none came that could be one
    LONELY = 4              # times the quiet after which fewer than ENOUGH have one of them moved as a sample
    PAUSE_MS = 1000         # before one that is silent has its next probe, twice as long each time,
    LONGEST_MS = 60000      # to this
    FORGET_MS = 600000      # after which one that has not come back is forgotten
    AVOID_MS = 50           # for which others are preferred after a fault, twice as long for each further one in a row,
    AVOID_DOUBLED = 4       # up to 800 ms: until then the control process has ejected it

cdef double SLOWER = 1.5    # than what is usual
cdef int64_t FOREVER = 1 << 62


cdef void limits(ServiceView *view, int64_t usual) noexcept:
    """Set the time limits of a view. usual: the usual gap between answers of the service, in milliseconds; 0: not known."""
    view.quiet = max(<int64_t>QUIET_MS, <int64_t>(SLOWER * usual))
    view.probe = max(<int64_t>PROBE_MS, <int64_t>(SLOWER * usual))
    view.known = usual > 0


cdef bint others_answer(ServiceView *view, int64_t since) noexcept:
    """Whether another endpoint has answered since then, and no request waits at half of the others."""
    return view.size > 1 and view.answered_at > since and 2 * view.well >= view.size - 1


cdef int judge(OutlierState *s, ServiceView *view, bint member, int64_t now) noexcept:
    """One step: changes the state and view.silent, and returns Actions. member: the endpoint is in the service now."""
    cdef int64_t quiet = view.quiet << min(s.vain, <int>DOUBLED)
    cdef int actions = Action.WAIT
    if (not member or view.size < 2) and s.suspected_by == view.queue and s.phase == Phase.SUSPECT:
        drop(s)                         # it has left the service that could compare it, or all others have
    if not member:
        return Action.MOVE if s.late and s.phase == Phase.SILENT else Action.WAIT
    if s.phase == Phase.SILENT:
        return judge_silent(s, view, now)
    if view.size < 2:
        return Action.WAIT              # nobody to compare it with here; under another of its names there may be
    if s.proven:
        s.proven = False
        return condemn(s, view, now)
    if s.late == 0:
        return Action.WAIT              # the sample was the only one that waited
    if s.quiet_since == 0:
        s.quiet_since = s.answered_at   # it answered something, and there are still those that wait
    if s.quiet_since == 0 or now - s.quiet_since < quiet:
        return Action.WAIT
    if not others_answer(view, s.quiet_since):
        if s.phase == Phase.SUSPECT and s.suspected_by == view.queue:
            drop(s)
        return sample(s, view, now)
    if s.phase == Phase.HEALTHY:
        s.phase = Phase.SUSPECT
        s.suspected_by = view.queue
        s.next_probe = now
    if s.probes < max(1, ENOUGH - s.late):
        actions = Action.PROBE
        if now > s.next_probe:
            actions |= sample(s, view, now)     # no request came for a tick that could be the probe
        if s.late < MANY or now - s.quiet_since < 4 * quiet:
            return actions
    elif now - s.probed_at < view.probe:
        return Action.WAIT
    elif not others_answer(view, s.probed_at):
        return sample(s, view, now)     # the client that sent the probe was the last one that did not wait here
    return condemn(s, view, now) or actions


cdef int judge_silent(OutlierState *s, ServiceView *view, int64_t now) noexcept:
    """Ask for a probe when it is due, and for the next one later if no request could be the probe."""
    if s.probes:
        if now - s.probed_at < view.quiet:
            return Action.WAIT
        s.pause = min(2 * s.pause, <int64_t>LONGEST_MS)
        return report(s, now)
    return (Action.PROBE if now >= s.next_probe else Action.WAIT) | (Action.MOVE if s.late else Action.WAIT)


cdef int sample(OutlierState *s, ServiceView *view, int64_t now) noexcept:
    """Whether to move one request as a sample. The endpoint has been quiet for too long, and half of the service is idle.

    Many waiting requests are sufficient. A few may be slow requests: they have to wait for much longer than is usual, or a probe has to
    wait with them for as long again.
    """
    if view.keyed or 2 * view.idle < view.size or is_sampled(s, now):
        return Action.WAIT
    if s.late >= ENOUGH:
        return Action.SAMPLE
    if s.probes and now - s.probed_at >= view.quiet << view.vain:
        return Action.SAMPLE | Action.READING
    if view.known and now - s.quiet_since >= LONELY * (view.quiet << max(view.vain, min(s.vain, <int>DOUBLED))):
        return Action.SAMPLE | Action.READING
    return Action.WAIT


cdef bint is_sampled(OutlierState *s, int64_t now) noexcept:
    """Whether the answer to a sample can still count against the endpoint."""
    return s.sampled_at > 0 and now - s.sampled_at <= s.sample_ms


cdef void sampled(OutlierState *s, int64_t begun, int64_t now) noexcept:
    """One of its requests, sent at `begun`, was moved to another endpoint."""
    s.sampled_at = now
    s.sample_ms = now - begun


cdef bint sample_answered(OutlierState *s, int64_t sampled_at, int64_t now) noexcept:
    """Another endpoint has answered the request moved at `sampled_at`. Returns whether that counts against this one, still quiet."""
    if s.sampled_at != sampled_at or not is_sampled(s, now):
        return False
    s.proven = True
    return True


cdef int condemn(OutlierState *s, ServiceView *view, int64_t now) noexcept:
    """Judge the endpoint silent, unless half of its service is already."""
    if 2 * (view.silent + 1) > view.size:
        return Action.WAIT
    s.phase = Phase.SILENT
    s.avoid_until = FOREVER
    s.pause = PAUSE_MS
    view.silent += 1
    return report(s, now)


cdef int report(OutlierState *s, int64_t now) noexcept:
    """Requests were not answered: delay the next probe."""
    s.quiet_ms = now - (s.quiet_since or s.probed_at)
    s.unanswered = s.sampled_at > 0     # by this endpoint; the caller adds those that wait
    s.sampled_at = 0
    s.probes = 0
    s.next_probe = now + s.pause
    return Action.REPORT


cdef void drop(OutlierState *s) noexcept:
    """Drop the suspicion, because no endpoint is left to compare with. Late requests stay late."""
    s.suspected_by = 0
    s.phase = Phase.HEALTHY
    s.probes = 0
    s.avoid_until = 0


cdef void waits(OutlierState *s, int64_t begun) noexcept:
    """A request that was sent at `begun` is late: not answered in the usual time."""
    s.late += 1
    begun = max(begun, s.answered_at)   # where it has answered others meanwhile it was not silent until then
    if s.quiet_since == 0 or begun < s.quiet_since:
        s.quiet_since = begun


cdef void calm(OutlierState *s) noexcept:
    """Reset the state to HEALTHY. A suspicion that ends so was in vain, and is counted."""
    if s.late == 0:
        s.vain = 0
    elif s.phase == Phase.SUSPECT:
        s.vain += 1
    s.phase = Phase.HEALTHY
    s.suspected_by = 0
    s.quiet_since = s.avoid_until = s.sampled_at = 0
    s.proven = False
    s.probes = 0


cdef bint still_watched(OutlierState *s, bint gone, int64_t now) noexcept:
    """Whether the endpoint has to be judged again. Expired state is dropped first. gone: the endpoint has left the table."""
    if s.phase == Phase.SILENT:
        if gone and now - s.next_probe > FORGET_MS:
            calm(s)
    elif s.late == 0 and not s.proven and not is_sampled(s, now):
        calm(s)
    return s.late > 0 or s.phase != Phase.HEALTHY or s.sampled_at > 0


cdef void probe_sent(OutlierState *s, int64_t now) noexcept:
    """A probe was sent to the endpoint. It gets no other request until the probe is answered."""
    s.probes += 1
    s.probed_at = now
    s.avoid_until = FOREVER


cdef void probe_unsent(OutlierState *s, int64_t now) noexcept:
    """The probe could not be sent, for a reason that is not the endpoint's fault."""
    s.probes -= 1
    s.avoid_until = now


cdef bint probe_is_due(OutlierState *s, int64_t now) noexcept:
    """Whether a silent endpoint may get a request again."""
    return s.phase == Phase.SILENT and s.probes == 0 and now >= s.next_probe


cdef void failed(OutlierState *s, Fault kind, int64_t now) noexcept:
    """An exchange with the endpoint failed."""
    s.ended += 1
    s.faults[<int>kind] += 1
    s.avoid_until = max(s.avoid_until, now + (AVOID_MS << min(s.streak, <int>AVOID_DOUBLED)))
    s.streak += 1


cdef void restart(OutlierState *s) noexcept:
    """The endpoint is a new process: reset the state."""
    s.answered_at = 0
    s.streak = 0
    calm(s)
    s.vain = 0

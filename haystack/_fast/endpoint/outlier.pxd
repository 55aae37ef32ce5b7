# What a worker thinks of an endpoint: whether it is avoided, suspected of silence, or found silent. No socket, no clock, no Python object.
from libc.stdint cimport int64_t, uint64_t

cdef enum Fault:                # what can go wrong with an exchange at an endpoint
    REFUSED = 0
    RESET
    TIMEOUT
    ERROR

cdef enum Phase:
    HEALTHY = 0
    SUSPECT                     # it has said nothing for a while, and others answer: a probe is to show
    SILENT                      # that was not answered either

cdef enum Action:               # what the caller of judge has to do, in this order; several may be said at once
    WAIT = 0
    PROBE = 1                   # give it the next request that may be repeated
    SAMPLE = 2                  # move one request elsewhere, to see how soon that is answered; call sampled if one could be moved
    MOVE = 4                    # move all that wait for an answer elsewhere
    REPORT = 8                  # tell the control process, and move all that wait
    READING = 16                # with SAMPLE: one that only reads, for little speaks against the endpoint yet

cdef enum:
    MOST_VAIN = 6               # samples in vain that count: each doubles the time until the next, for a service may have slow requests

# times in milliseconds of one clock, which never is 0
cdef struct OutlierState:
    Phase phase
    int64_t avoid_until         # others are preferred until then
    int64_t answered_at         # when it last began an answer; 0: never
    int late                    # exchanges that have waited for an answer for long
    int64_t quiet_since         # when the first of those was sent that are late without any word meanwhile; 0: none is
    uint64_t suspected_by       # serial of the queue whose requests raised suspicion: another may have nobody to compare it with; 0: none
    int vain                    # suspicions that an answer ended, while requests were still late: the next one takes its time
    int probes                  # sent and not answered yet
    int64_t probed_at           # when the last of them was
    int64_t next_probe          # when the next may be,
    int64_t pause               # and how long it was put off
    int64_t sampled_at          # when one of its requests was moved as a sample; 0: none was
    int64_t sample_ms           # for so long that one had waited here: answered elsewhere in less, it speaks against this endpoint
    bint proven                 # it was
    # for the control process
    int64_t faults[4]           # by Fault, since they were last told
    int64_t ended               # exchanges since the first of them, well or not
    int streak                  # faults in a row
    bint told_bad               # was last told of with a streak
    int64_t unanswered          # so many requests were not answered by it
    int64_t quiet_ms            # for so long

cdef struct ServiceView:        # what all members of a service do now, on one listener
    uint64_t queue              # its serial
    int size                    # members
    int well                    # members that nobody waits for long for
    int idle                    # members without a request
    int silent                  # members in that phase
    int64_t answered_at         # when one of them last began an answer
    int64_t quiet, probe        # without a word for so long is too long: with requests, with a probe
    bint known                  # how long its endpoints usually take
    int vain                    # samples in a row that were not answered sooner elsewhere
    bint keyed                  # requests go by a key or a cookie: many at one endpoint are no wonder

cdef int judge(OutlierState *s, ServiceView *view, bint member, int64_t now) noexcept
cdef void limits(ServiceView *view, int64_t usual) noexcept
cdef void waits(OutlierState *s, int64_t begun) noexcept
cdef void calm(OutlierState *s) noexcept
cdef void probe_sent(OutlierState *s, int64_t now) noexcept
cdef void probe_unsent(OutlierState *s, int64_t now) noexcept
cdef void sampled(OutlierState *s, int64_t begun, int64_t now) noexcept
cdef bint sample_answered(OutlierState *s, int64_t sampled_at, int64_t now) noexcept
cdef void failed(OutlierState *s, Fault kind, int64_t now) noexcept
cdef void restart(OutlierState *s) noexcept
cdef bint still_watched(OutlierState *s, bint gone, int64_t now) noexcept
cdef bint probe_is_due(OutlierState *s, int64_t now) noexcept


cdef inline void answers(OutlierState *s, int64_t now) noexcept:
    """It begins an answer."""
    s.answered_at = now
    if s.quiet_since or s.phase:
        calm(s)


cdef inline bint went_well(OutlierState *s) noexcept:
    """An exchange with it is being answered as it should be; whether that is news to the control process."""
    s.ended += 1
    if s.streak == 0:
        return False
    s.streak = 0
    if s.phase == Phase.HEALTHY:
        s.avoid_until = 0
    return s.told_bad

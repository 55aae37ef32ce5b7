"""Which endpoints their own traffic speaks against, for how long they are out, and when they are back. Pure: history, news, now → history.

An endpoint is ejected for 5 failures in a row, where half of at least 20 requests in 10 s failed, or where a worker found it silent. All
but a refused connection may be the request's fault as well: errors, resets and timeouts count only where the endpoint stands out among
those of its service (peer_comparison.py). So what fails everywhere ejects nobody, however often it is asked for. An ejected endpoint
returns by itself: after 5 s the first time, twice as long each further time, 5 minutes at most; as long as its last ejection without a
new one, and one is forgiven. That no more than half of a service is out is policy.py's business.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from haystack.health.peer_comparison import stands_out
from haystack.model.records import Record
from haystack.model.reports import FailureRow

IN_A_ROW = 5
WINDOW = 10.0  # seconds
ENOUGH, TOO_MANY = 20, 0.5  # requests in the window, and the share of failures among them
SHORTEST, LONGEST = 5.0, 300.0  # seconds out

KINDS = ("refused", "reset", "timed out", "5xx")
NOTHING = (0, 0, 0, 0)
REFUSED = KINDS.index("refused")
LONG_AGO = 60.0  # seconds of which exchanges are compared where the window has few
TOGETHER = 0.5  # seconds whose reports are kept as one: each worker sends ten a second, and all that are kept are summed up


class Beat(NamedTuple):
    """The reports of TOGETHER seconds.

    at: when the last one came; refused: of the failures; own, others: exchanges that are compared, and failures among them.
    """

    at: float
    requests: int
    failures: int
    refused: int
    own: tuple[int, int]
    others: tuple[int, int]


class History(Record, frozen=True, kw_only=True):
    """What an endpoint's traffic has shown. Times are seconds of a clock that only grows.

    streak: failures in a row; kinds: how many of each in the streak or window; beats: of the last LONG_AGO seconds, oldest first;
    heard: when the last report came; times: ejections that are not forgiven; since, until, why: the last one's; silent:
    it was for answers that did not come.
    """

    streak: int = 0
    kinds: tuple[int, ...] = NOTHING
    beats: tuple[Beat, ...] = ()
    heard: float = 0.0
    times: int = 0
    since: float = 0.0
    until: float = 0.0
    why: str = ""
    silent: bool = False

    def ejected(self, now: float) -> bool:
        """Whether it is out at this time."""
        return now < self.until


def hear(history: History, row: FailureRow, now: float) -> History:
    """The history with one report. What comes while it is out counts for nothing: it was on its way before."""
    if history.ejected(now):
        return history
    if row.unanswered:
        requests = "1 request" if row.unanswered == 1 else f"{row.unanswered} requests"
        return _ejected(history, f"silent: no answer for {row.quiet_ms / 1000:.1f} s to {requests}", now, silent=True)
    new = _noted(history, row, now)
    why = _verdict(new)
    return _ejected(new, why, now) if why else new


def _noted(history: History, row: FailureRow, now: float) -> History:
    counts = (row.refused, row.resets, row.timeouts, row.errors)
    failures = sum(counts)
    # its requests may be those of hours, when nothing failed: of these, a window's worth counts
    share = min(1.0, WINDOW / max(now - history.heard, WINDOW))
    requests = max(failures, round(row.requests * share))
    goes_on = failures >= row.requests
    streak = history.streak + failures if goes_on else row.streak
    new = Beat(now, requests, failures, row.refused, (row.ended, row.faulty), (row.others, row.others_faulty))
    beats = _kept(_with(history.beats, new), now)
    kept = history.kinds if streak and now - history.heard < WINDOW else NOTHING
    kinds = tuple(a + b for a, b in zip(kept, counts, strict=True))
    return History(
        streak=streak, kinds=kinds, beats=beats, heard=now,
        times=history.times, since=history.since, until=history.until, why=history.why,
    )  # fmt: skip


def _verdict(history: History) -> str:
    """Why it is to be put out; empty where it is not."""
    told = ", ".join(f"{count} {kind}" for kind, count in zip(KINDS, history.kinds, strict=True) if count)
    recent = [b for b in history.beats if b.at > history.heard - WINDOW]
    requests = sum(b.requests for b in recent)
    if history.streak < IN_A_ROW and not _too_many(requests, sum(b.failures for b in recent)):
        return ""  # whosever fault they are: the comparison costs more than all else here
    blamed = stands_out(_sum(b.own for b in history.beats), _sum(b.others for b in history.beats))
    in_a_row = history.streak if blamed else min(history.streak, history.kinds[REFUSED])
    if in_a_row >= IN_A_ROW:
        return f"{in_a_row} failures in a row ({told})"
    failures = sum(b.failures if blamed else b.refused for b in recent)
    if _too_many(requests, failures):
        return f"{failures} of {requests} requests failed within {WINDOW:g} s ({told})"
    return ""


def _too_many(requests: int, failures: int) -> bool:
    return requests >= ENOUGH and failures >= requests * TOO_MANY


def _with(beats: tuple[Beat, ...], new: Beat) -> tuple[Beat, ...]:
    """Together with the last one, where that is of the same TOGETHER seconds: so their number has a bound, and their sums are the same."""
    if not beats or beats[-1].at // TOGETHER != new.at // TOGETHER:
        return (*beats, new)
    last = beats[-1]
    own, others = _sum((last.own, new.own)), _sum((last.others, new.others))
    as_one = Beat(new.at, last.requests + new.requests, last.failures + new.failures, last.refused + new.refused, own, others)
    return (*beats[:-1], as_one)


def _kept(beats: Sequence[Beat], now: float) -> tuple[Beat, ...]:
    """The beats that still count: those of the window, and older ones if it has few exchanges. The choice never depends on failures."""
    enough = 0
    for at in range(len(beats) - 1, -1, -1):
        if beats[at].at <= now - (LONG_AGO if enough < ENOUGH else WINDOW):
            return tuple(beats[at + 1 :])
        enough += beats[at].own[0]
    return tuple(beats)


def _sum(pairs: Iterable[tuple[int, int]]) -> tuple[int, int]:
    """Exchanges and failures of all of them."""
    exchanges, failures = zip(*pairs, strict=True)
    return sum(exchanges), sum(failures)


def _ejected(history: History, why: str, now: float, *, silent: bool = False) -> History:
    """Out from now on; the count of failures begins anew when it is back."""
    last = history.until - history.since
    forgiven = int((now - history.until) // last) if last > 0 else 0
    times = max(0, history.times - forgiven)
    length = min(SHORTEST * 2**times, LONGEST)
    return History(heard=now, times=times + 1, since=now, until=now + length, why=why, silent=silent)

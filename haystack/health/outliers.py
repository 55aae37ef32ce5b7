"""Which endpoints their own traffic speaks against, for how long they are out, and when they are back. Pure: history, news, now → history.

An endpoint is ejected for 5 failures in a row, where half of at least 20 requests in 10 s failed, or where a worker found it silent. An
answer that is an error (5xx) may be the request's fault as well: errors count only where those of the service's others, in the same
time, were half as frequent at most. So a page that fails everywhere ejects nobody. An ejected endpoint returns by itself: after 5 s the
first time, twice as long each further time, 5 minutes at most; as long as its last ejection without a new one, and one is forgiven.
That no more than half of a service is out is policy.py's business.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from haystack.model import Record
from haystack.proxy.channel import FailureRow

IN_A_ROW = 5
WINDOW = 10.0  # seconds
ENOUGH, TOO_MANY = 20, 0.5  # requests in the window, and the share of failures among them
SHORTEST, LONGEST = 5.0, 300.0  # seconds out

KINDS = ("refused", "reset", "timed out", "5xx")
SILENT = "silent: "  # how the reason of one begins that accepts and never answers
NOTHING = (0, 0, 0, 0)
OTHERS, FEWER = 5, 2  # answers of others that are enough to compare with, and by how much less often they have to be errors
ERROR = KINDS.index("5xx")


class Beat(NamedTuple):
    """One report. at: when; errors: of the failures; others, others_errors: answers of the service's other endpoints in the same time."""

    at: float
    requests: int
    failures: int
    errors: int
    others: int
    others_errors: int


class History(Record, frozen=True, kw_only=True):
    """What an endpoint's traffic has shown. Times are seconds of a clock that only grows.

    streak: failures in a row; kinds: how many of each in the streak or window; beats: reports of the last WINDOW seconds, oldest first;
    heard: when the last report came; times: ejections that are not forgiven; since, until, why: the last one's.
    """

    streak: int = 0
    kinds: tuple[int, ...] = NOTHING
    beats: tuple[Beat, ...] = ()
    heard: float = 0.0
    times: int = 0
    since: float = 0.0
    until: float = 0.0
    why: str = ""

    def ejected(self, now: float) -> bool:
        """Whether it is out at this time."""
        return now < self.until


def hear(history: History, row: FailureRow, now: float) -> History:
    """The history with one report. What comes while it is out counts for nothing: it was on its way before."""
    if history.ejected(now):
        return history
    if row.unanswered:
        return _ejected(history, f"{SILENT}no answer for {row.quiet_ms / 1000:.1f} s to {row.unanswered} requests", now)
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
    new = Beat(now, requests, failures, row.errors, row.others, row.others_errors)
    beats = (*(b for b in history.beats if b.at > now - WINDOW), new)
    kept = history.kinds if streak and now - history.heard < WINDOW else NOTHING
    kinds = tuple(a + b for a, b in zip(kept, counts, strict=True))
    return History(
        streak=streak, kinds=kinds, beats=beats, heard=now,
        times=history.times, since=history.since, until=history.until, why=history.why,
    )  # fmt: skip


def _verdict(history: History) -> str:
    """Why it is to be put out; empty where it is not."""
    told = ", ".join(f"{count} {kind}" for kind, count in zip(KINDS, history.kinds, strict=True) if count)
    blamed = _errs_more_than_others(history.beats)
    in_a_row = history.streak if blamed else min(history.streak, sum(history.kinds) - history.kinds[ERROR])
    if in_a_row >= IN_A_ROW:
        return f"{in_a_row} failures in a row ({told})"
    requests = sum(b.requests for b in history.beats)
    failures = sum(b.failures if blamed else b.failures - b.errors for b in history.beats)
    if requests >= ENOUGH and failures >= requests * TOO_MANY:
        return f"{failures} of {requests} requests failed within {WINDOW:g} s ({told})"
    return ""


def _errs_more_than_others(beats: Sequence[Beat]) -> bool:
    """Whether its errors are its own, and not those of what is asked: others of the service answer, and well."""
    requests, errors = sum(b.requests for b in beats), sum(b.errors for b in beats)
    others, others_errors = sum(b.others for b in beats), sum(b.others_errors for b in beats)
    return others >= OTHERS and others_errors * FEWER * requests <= errors * others


def _ejected(history: History, why: str, now: float) -> History:
    """Out from now on; the count of failures begins anew when it is back."""
    last = history.until - history.since
    forgiven = int((now - history.until) // last) if last > 0 else 0
    times = max(0, history.times - forgiven)
    length = min(SHORTEST * 2**times, LONGEST)
    return History(heard=now, times=times + 1, since=now, until=now + length, why=why)

"""What forwarding tells of itself: a frozen record of the moment, for metrics, the page and the shell."""

from __future__ import annotations

from typing import NamedTuple

from haystack.dns.forward.nameservers import Nameserver
from haystack.dns.forward.standing import Standing


class NameserverFigures(NamedTuple):
    """One nameserver. failures: by kind (standing.Failure), timeouts among them; rtt: smoothed round-trip time, seconds, 0: none yet.

    skipped: for how many seconds it has been skipped; None: it is in use.
    """

    server: Nameserver
    questions: int
    failures: dict[str, int]
    timeouts: int
    rtt: float
    skipped: float | None


class CacheFigures(NamedTuple):
    """The cache: what it holds, and how often it could answer. prefetches: questions asked before the answer had expired."""

    entries: int
    bytes: int
    hits: int
    misses: int
    stale: int
    prefetches: int


class Figures(NamedTuple):
    """All of forwarding. outstanding: questions that have no answer yet; asked: those that have a socket; refused: queries over a share."""

    nameservers: tuple[NameserverFigures, ...]
    cache: CacheFigures
    outstanding: int
    asked: int
    refused: int


def of(standing: Standing, now: float) -> NameserverFigures:
    """The figures of one nameserver."""
    failures = {failure.value: count for failure, count in sorted(standing.failures.items())}
    skipped = None if standing.skipped_since is None else now - standing.skipped_since
    return NameserverFigures(standing.server, standing.questions, failures, failures.get("timeout", 0), standing.rtt, skipped)

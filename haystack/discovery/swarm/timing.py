"""How long the Swarm's watch waits for what. Tests take shorter times."""

from __future__ import annotations

from haystack.model.records import Record


class Timing(Record, frozen=True, kw_only=True):
    """Waiting times in seconds.

    rest: between two polls while nothing happens; busy: while an update runs or tasks are on their way; stirred: after something happened,
    for as long as polls are busy ones; patient: the same while tasks are on their way, for an image may have to come first; gap: between
    two polls at least; connect, answer: that a manager may take; leaving: after which a task that is to end, and does not, counts as ended;
    images: that a poll may take for images that are new; seek: between the first two looks for a manager where there is no Swarm, twice as
    long each time, up to `seldom`; again: the first pause after all managers have failed, which doubles up to `seek`; remind: after which
    that is told again.
    """

    rest: float = 15.0
    busy: float = 1.0
    stirred: float = 10.0
    patient: float = 300.0
    gap: float = 0.1
    connect: float = 3.0
    answer: float = 5.0
    leaving: float = 30.0
    images: float = 1.0
    seek: float = 15.0
    seldom: float = 240.0
    again: float = 0.5
    remind: float = 60.0

"""How long discovery waits for what. Tests take shorter times."""

from __future__ import annotations

from haystack.model.records import Record


class Timing(Record, frozen=True, kw_only=True):
    """Waiting times in seconds.

    relist: between whole lists; stopping: after which a container told to stop, but still running, is back; again: before
    an inspection that failed is repeated for the first time; ping: of silence after which the engine is asked whether it is there
    and what was missed; answer: that each of these, or an inspection, may take; late: for an event that is on its way; burst: that
    changes may wait for others; shortest and longest: the first and the greatest pause before connecting again; near: the greatest
    to an engine on this machine that was there before; remind: after which an engine that is still away is told of again; grace: after
    which what it listed last counts no more (0: never).
    """

    relist: float = 180.0
    stopping: float = 30.0
    again: float = 1.0
    ping: float = 4.0
    answer: float = 3.0
    late: float = 0.5
    burst: float = 0.015
    shortest: float = 0.2
    longest: float = 15.0
    near: float = 1.0
    remind: float = 60.0
    grace: float = 3600.0

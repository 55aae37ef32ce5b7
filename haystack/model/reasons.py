"""Why an endpoint is in or out, with the time, as a person reads it. Pure: the moment is given."""

from __future__ import annotations

from collections.abc import Iterator

from haystack.model.overrides import told
from haystack.model.services import Cause, Endpoint

HAPPENED = frozenset({Cause.STOPPING, Cause.GONE, Cause.EJECTED, Cause.SILENT})  # what is told is a moment; else it is a state that lasts
KILL = "kill "  # and a signal: why a container stops, as its engine tells it
UNITS = ((86400.0, 3600.0, "d"), (3600.0, 60.0, "h"), (60.0, 1.0, "min"))  # seconds in each, and in the next smaller one


def why(endpoint: Endpoint, now: float) -> str:
    """``draining: kill SIGTERM 2.1 s ago``, ``port 80 does not accept (for 2.1 s)``; of one that is in, the reason alone.

    now: Unix seconds.
    """
    text = endpoint.reason
    if not endpoint.ready and endpoint.since > 0:
        text += _since(endpoint.cause, span(now - endpoint.since))
        text += f", back in {span(endpoint.until - now)}" if endpoint.until > 0 else ""
    return "; ".join([text, *overridden(endpoint)])


def overridden(endpoint: Endpoint) -> Iterator[str]:
    """What operators decided about it beside what its reason tells: ``weight 10 by alice@laptop: canary, until 2026-11-30 14:02:03Z``."""
    for each in endpoint.overrides[endpoint.cause is Cause.DRAINED :]:
        what = f"{each.kind} of {each.name}" if each.weight is None else f"weight {each.weight}"
        yield f"{what} {told(each)}"


def _since(cause: Cause, time: str) -> str:
    if cause is Cause.DRAINED:  # its reason ends with a text of the operator's, to which no time can be added
        return f" ({time} ago)"
    return f" {time} ago" if cause in HAPPENED else f" (for {time})"


def cause(endpoint: Endpoint) -> str:
    """Why one is out, as the log says what has happened: ``killed with SIGTERM``, ``its task is to shut down``, ``unhealthy``."""
    if endpoint.cause is Cause.STOPPING:
        told = endpoint.reason.removeprefix("draining: ")
        return f"killed with {signal}" if (signal := signal_of(told)) else told
    return endpoint.reason.removeprefix("health ")


def signal_of(state_reason: str) -> str:
    """The signal that a container was sent, by the reason why it stops; empty: it is for another one."""
    return state_reason.removeprefix(KILL) if state_reason.startswith(KILL) else ""


def span(seconds: float) -> str:
    """``2.1 s``, ``3.5 min``, ``2 h``, ``4.2 d``. Clocks of two machines may differ: less than nothing is nothing."""
    for size, smaller, unit in UNITS:
        if seconds > size - smaller / 20:  # what would be rounded to 60 of the smaller unit is one of this
            return f"{seconds / size:.1f}".removesuffix(".0") + f" {unit}"
    return f"{max(seconds, 0.0):.1f} s"

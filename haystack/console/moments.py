"""Moments as people write and read them: ``14:02``, ``14:02:30``, ``2026-11-30T14:02Z``, ``10m`` (ago); all in UTC. Pure."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta

from haystack.model import spelling

_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d(?:\.\d{1,6})?))?", re.ASCII)
AGO = " ago"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST = datetime.max.replace(tzinfo=UTC).timestamp() - 1.0  # that a calendar has


def read(text: str, now: float) -> float:
    """Unix seconds of a moment before now. Of a time of day the last one counts. Raises ValueError."""
    told = text.strip()
    found = _of_clock(told, now) or _of_date(told)
    if found is None:
        try:
            found = now - spelling.seconds(told.lower().removesuffix(AGO))
        except ValueError:
            raise ValueError("not a time, such as 14:02, 14:02:30, 2026-11-30T14:02Z or 10m (ago)") from None
    if found > now:
        raise ValueError("in the future")
    if found < 0:
        raise ValueError("before 1970")
    return found


def past(text: str) -> float:
    """The same by the clock of this machine."""
    return read(text, time.time())


def _of_clock(text: str, now: float) -> float | None:
    match = _CLOCK.fullmatch(text)
    if match is None:
        return None
    day = datetime.fromtimestamp(now, UTC).replace(hour=int(match[1]), minute=int(match[2]), second=0, microsecond=0)
    found = day + timedelta(seconds=float(match[3] or 0))
    return (found if found.timestamp() <= now else found - timedelta(days=1)).timestamp()


def _of_date(text: str) -> float | None:
    if "-" not in text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (found.replace(tzinfo=found.tzinfo or UTC) - EPOCH).total_seconds()


def clock(seconds: float) -> str:
    """``14:02:11.023``, UTC."""
    return datetime.fromtimestamp(min(seconds, LAST), UTC).isoformat(timespec="milliseconds")[11:23]


def dated(seconds: float) -> str:
    """``2026-11-30 14:02:11.023``, UTC."""
    return datetime.fromtimestamp(min(seconds, LAST), UTC).isoformat(" ", timespec="milliseconds")[:23]

"""Slow start: what share of its weight an endpoint has while it is new or newly back. Pure.

In ten steps, for every step is a snapshot; and never less than a tenth, for a cold cache gets warm by requests alone.
"""

from __future__ import annotations

import math

from haystack.model.records import Options

STEPS = 10


def length(options: Options) -> float:
    """Seconds of haystack.health.slow_start; 0.0 where there is none."""
    return float(options.health.get("slow_start", 0.0))


def share(seconds: float, since: float, now: float) -> float:
    """The share, 0.1 to 1.0, of one that is in since `since` and starts within `seconds`. A clock that went back slows nobody down."""
    if seconds <= 0 or not 0 <= now - since < seconds:
        return 1.0
    return max(1, math.ceil((now - since) / seconds * STEPS)) / STEPS

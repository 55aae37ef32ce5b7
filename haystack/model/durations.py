"""The slots that durations of exchanges are counted in, for the workers that count and the control process that reads.

Log-linear: thirteen slots a decade, from 10 µs to 1000 s, so that a quantile read off them is at most a tenth off. The bounds that
Prometheus' users expect (0.005, 0.01, 0.025 … seconds) are bounds of slots, so that a classic histogram is exact.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

DECADE = (10, 12, 15, 18, 21, 25, 30, 35, 42, 50, 60, 70, 85)
EDGES: tuple[int, ...] = (
    *(step * 10**power for power in range(3, 11) for step in DECADE),
    10**12,
)  # nanoseconds: the upper bound of each slot but the last
SLOTS = len(EDGES) + 1


def slot_of(seconds: float) -> int:
    """The slot that a duration is counted in; a slot holds its upper bound."""
    return bisect_left(EDGES, seconds * 1e9)


def quantile(counts: Sequence[int], q: float) -> float:
    """The duration in seconds that the share q (0 to 1) of these took at most, by counts of the slots; 0.0 where there are none.

    Within a slot they are taken to be spread evenly.
    """
    rank = q * sum(counts)
    if not rank:
        return 0.0
    for slot, count in enumerate(counts):
        if count and rank <= count:
            low = EDGES[slot - 1] if slot else 0
            high = EDGES[slot] if slot < len(EDGES) else low
            return float(low + (high - low) * rank / count) / 1e9
        rank -= count
    return EDGES[-1] / 1e9

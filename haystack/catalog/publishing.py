"""How long publishing takes: for each snapshot its build, and how late what an engine told of came out. Counts, and judges nothing."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # seconds


class Durations:
    """A histogram of seconds."""

    def __init__(self, bounds: Sequence[float] = BOUNDS) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._seconds = 0.0

    def add(self, seconds: float) -> None:
        """One more. Of two clocks one may be behind: less than nothing is nothing."""
        seconds = max(0.0, seconds)
        self._counts[bisect_left(self._bounds, seconds)] += 1
        self._seconds += seconds

    def told(self) -> tuple[list[tuple[str, float]], float]:
        """(upper bound, how many took no longer), and the sum of all."""
        return list(zip((*map(str, self._bounds), "+Inf"), map(float, accumulate(self._counts)), strict=True)), self._seconds


class Publishing:
    """Of one registry."""

    def __init__(self) -> None:
        self.builds = Durations()
        self.lags = Durations()
        self._heard: list[float] = []

    def heard(self, at: float) -> None:
        """Something has come that an engine told of at this time, in Unix seconds; 0.0: nothing that was told."""
        if at:
            self._heard.append(at)

    def begins(self) -> list[float]:
        """A build begins: what has come so far is in the snapshot that it makes."""
        heard, self._heard = self._heard, []
        return heard

    def published(self, heard: Sequence[float], now: float, seconds: float) -> None:
        """It is over at this Unix time, and took so long."""
        self.builds.add(seconds)
        for at in heard:
            self.lags.add(now - at)

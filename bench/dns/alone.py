"""What is measured of Haystack alone, by name: each from rounds, seconds of a round and cores to rows of report.singles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bench.dns.beside import beside
from bench.dns.busy import busy, change
from bench.dns.stopped import stopped

WORKS: dict[str, Callable[[int, int, list[int]], list[dict[str, Any]]]] = {
    "busy": busy,
    "change": change,
    "stopped": stopped,
    "http": beside,
}

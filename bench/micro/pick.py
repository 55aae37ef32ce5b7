"""python -m bench.micro.pick: nanoseconds a pick, by algorithm and number of endpoints; and of making a picker, once a table.

Each pick is taken on and let go again, 64 in flight, in a compiled loop (testing.picks_ns): what an exchange pays for its choice. Rounds go
around the algorithms, so that a busy moment of the machine meets all of them; the median counts.
"""

from __future__ import annotations

import argparse
import time
from statistics import median

from haystack._fast.balance.pickers import PICKERS, make
from haystack._fast.endpoint.endpoint import Endpoint, Member
from haystack._fast.testing import picks_ns

SIZES = (1, 5, 50, 500, 5000)
WEIGHTS = {"equal": (100,), "mixed": (100, 50, 200, 10)}


def members(size: int) -> list[Member]:
    """Endpoints that nobody ever connects to."""
    return [Member(Endpoint(f"{n:012x}:80/tcp", (f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}", 80)), "web", 80) for n in range(size)]


def weights(size: int, kind: str) -> list[int]:
    """One weight a member, the kind's ones in turn."""
    return [WEIGHTS[kind][n % len(WEIGHTS[kind])] for n in range(size)]


def picks(rounds: int, times: int, kind: str) -> dict[tuple[str, int], float]:
    """(algorithm, size) → median nanoseconds a pick."""
    pickers = {(balance, size): make(balance, members(size), weights(size, kind)) for balance in PICKERS for size in SIZES}
    found: dict[tuple[str, int], list[float]] = {key: [] for key in pickers}
    for _ in range(rounds):
        for key, picker in pickers.items():
            found[key].append(picks_ns(picker, times) / times)
    return {key: median(ns) for key, ns in found.items()}


def makings(rounds: int, kind: str) -> dict[tuple[str, int], float]:
    """(algorithm, size) → median microseconds of making a picker in the place of another."""
    found: dict[tuple[str, int], list[float]] = {}
    for size in SIZES:
        of, old = members(size), weights(size, kind)
        for balance in PICKERS:
            picker = make(balance, of, [w + 1 for w in old])
            for _ in range(rounds):
                start = time.perf_counter()
                make(balance, of, old, picker)
                found.setdefault((balance, size), []).append((time.perf_counter() - start) * 1e6)
    return {key: median(us) for key, us in found.items()}


def table(found: dict[tuple[str, int], float]) -> str:
    """A Markdown table: a line an algorithm, a column a number of endpoints."""
    lines = ["| endpoints | " + " | ".join(f"{size:,}" for size in SIZES) + " |", "| --- |" + " --- |" * len(SIZES)]
    lines += [f"| {balance} | " + " | ".join(f"{found[balance, size]:,.0f}" for size in SIZES) + " |" for balance in PICKERS]
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.micro.pick", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--times", type=int, default=50_000, help="picks a round")
    parser.add_argument("--weights", choices=WEIGHTS, default="equal")
    options = parser.parse_args()
    print(f"ns a pick, {options.weights} weights\n\n{table(picks(options.rounds, options.times, options.weights))}")
    print(f"\nµs of making a picker, when the table changes\n\n{table(makings(options.rounds, options.weights))}")


if __name__ == "__main__":
    main()

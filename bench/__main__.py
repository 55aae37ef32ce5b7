"""python -m bench: measures, prints and keeps the figures of bench/README.md. Raw rows go to bench/results/."""

from __future__ import annotations

import argparse
import json
import platform
import time
from pathlib import Path
from typing import Any

from bench.macro import discovery as latencies
from bench.macro import proxy as comparison

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Measure what was asked for, print it, keep it."""
    options = arguments()
    found: dict[str, Any] = {"date": time.strftime("%Y-%m-%d %H:%M:%S"), "machine": machine()}
    print(f"{found['date']}, {found['machine']}\n")
    if "proxy" in options.what:
        found["proxy"] = proxy(options)
    if "discovery" in options.what:
        found["discovery"] = discovery(options)
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / time.strftime("%Y%m%d-%H%M%S.json")
    path.write_text(json.dumps(found, indent=1))
    print(f"\nraw figures: {path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path.name}")


def proxy(options: argparse.Namespace) -> dict[str, Any]:
    """The comparison with nginx and HAProxy."""
    result = comparison.run(options.rounds, options.seconds, options.peers)
    print("## CPU of the proxy\n\n" + comparison.table(result))
    return result


def discovery(options: argparse.Namespace) -> dict[str, Any]:
    """The latencies against the engine."""
    result = latencies.run(options.runs)
    print("\n## From the engine to the traffic\n\n" + latencies.table(result))
    return result


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("what", nargs="*", default=["proxy", "discovery"], help="proxy, discovery (default: both)")
    parser.add_argument("--rounds", type=int, default=5, help="alternating rounds of the proxy comparison")
    parser.add_argument("--seconds", type=float, default=5, help="length of a round; at least 4 for a real figure")
    parser.add_argument("--peers", nargs="*", default=[], help="nginx, haproxy, haystack (default: all)")
    parser.add_argument("--runs", type=int, default=20, help="containers started, and containers ended")
    return parser.parse_args()


def machine() -> str:
    """Processor, cores, kernel and Python: what a figure depends on. No name of the machine."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    cores = sum(line.startswith("processor") for line in lines)
    return f"{model}, {cores} cores, Linux {platform.release()}, Python {platform.python_version()}"


if __name__ == "__main__":
    main()

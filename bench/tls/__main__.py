"""python -m bench.tls: measures, prints and keeps the figures of bench/README.md, "TLS and HTTP/2". Raw rows go to bench/results/.

The status is 1 where a figure is missing: a proxy did not do that work, or a round had an error.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from bench.__main__ import README, RESULTS, cores, machine
from bench.macro.peers import program
from bench.macro.plot import draw
from bench.macro.report import replace, section
from bench.tls import compare, instructions, report
from bench.tls.scenarios import SCENARIOS

VERSIONS = {"nginx": "-v", "haproxy": "-v", "wrk": "-v", "h2load": "--version", "openssl": "version"}
AXIS = "Haystack to the better of nginx and HAProxy; the bar is the aim"


def main() -> int:
    """Measure what was asked for, print it, keep it. The status to exit with."""
    options = arguments()
    try:
        found = json.loads(options.source.read_text()) if options.source else measured(options)
    except (RuntimeError, subprocess.CalledProcessError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    raw = options.source or kept(found)
    shown(found, raw, write=options.write)
    return 1 if found["missing"] else 0


def measured(options: argparse.Namespace) -> dict[str, Any]:
    """All that was asked for; a work that can't be measured is told, and the others are."""
    found: dict[str, Any] = {"date": time.strftime("%Y-%m-%d %H:%M"), "machine": machine(), "cores": len(cores()), "peers": versions()}
    found |= {"rounds": options.rounds, "seconds": options.seconds, "rows": [], "missing": [], "instructions": []}
    for scenario in SCENARIOS:
        if options.what and scenario.name not in options.what:
            continue
        print(f"{time.strftime('%H:%M:%S')} {scenario.title}", file=sys.stderr)
        contestants = [c for c in scenario.contestants if not options.peers or c.name.lower() in options.peers]
        try:
            if options.instructions:
                found["instructions"] += instructions.run(scenario, contestants)
            else:
                found["rows"] += compare.run(scenario, options.rounds, options.seconds, contestants, cores())
        except RuntimeError as error:
            print(f"bench: {scenario.name}: {error}", file=sys.stderr)
            found["missing"].append({"scenario": scenario.name, "why": str(error)})
    return found


def versions() -> str:
    """The peers and the load, each with its version. Raises RuntimeError where one is missing."""
    told = {}
    for name, flag in VERSIONS.items():
        done = subprocess.run([program(name), flag], check=False, capture_output=True, text=True)
        found = re.search(r"\d+\.\d+(\.\d+)?", done.stdout + done.stderr)
        told[name] = found[0] if found else "unknown"
    return ", ".join(f"{name} {version}" for name, version in told.items())


def kept(found: dict[str, Any]) -> Path:
    """The file that the raw figures were written to."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / time.strftime("tls-%Y%m%d-%H%M%S.json")
    path.write_text(json.dumps(found, indent=1) + "\n")
    return path


def shown(found: dict[str, Any], raw: Path, *, write: bool) -> None:
    """Print the tables; with write, put them and the plot in the place of the README's."""
    text = report.table(found)
    print(f"{found['date']}, {found['machine']}\n\n{text}\n\nraw figures: bench/results/{raw.name}")
    if write:
        measured_here = [s for s in SCENARIOS if any(row["scenario"] == s.name for row in found["rows"])]
        draw(measured_here, found["rows"], found["cores"], RESULTS / "tls.svg", AXIS)
        replace(README, "tls", section(found, text, "results/tls.svg", f"results/{raw.name}"))


def arguments() -> argparse.Namespace:
    """The command line."""
    names = [scenario.name for scenario in SCENARIOS]
    parser = argparse.ArgumentParser(prog="python -m bench.tls", description=__doc__)
    parser.add_argument("what", nargs="*", metavar="NAME", choices=[*names, []], help=f"{', '.join(names)} (default: all)")
    parser.add_argument("--rounds", type=int, default=5, help="alternating rounds of each work")
    parser.add_argument("--seconds", type=int, default=4, help="length of a round; at least 4 for a real figure")
    parser.add_argument("--peers", nargs="*", type=str.lower, default=[], help="nginx, haproxy, haystack (default: all)")
    parser.add_argument("--instructions", action="store_true", help="count machine instructions (valgrind) instead of time")
    parser.add_argument("--from", dest="source", type=Path, help="measure nothing: show the raw figures of this file")
    parser.add_argument("--write", action="store_true", help="put the tables and the plot into bench/README.md")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

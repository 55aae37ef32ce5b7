"""python -m bench.chaos (make bench-chaos): the chaos table, Haystack beside HAProxy and nginx on the same containers.

Needs a Docker Engine with the images nginx and python:3.11-slim, whose containers can be reached from here; root for the row
`engine`, which starts an engine of its own. Removes only what it made, also when interrupted. Raw rounds go to bench/results/.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

from bench.__main__ import README, RESULTS, machine, versions
from bench.chaos import report
from bench.chaos.client import PROTOCOLS
from bench.chaos.course import Course, say
from bench.chaos.rounds import Plan
from bench.chaos.rows import ROWS, row
from bench.chaos.sealing import Sealing
from bench.macro import discovery
from bench.macro.report import replace

FRONT = README.parent.parent / "README.md"
A_RUN = 6.0  # seconds that one measurement from event to request takes, of all three series


def main() -> int:
    """Play what was asked for, print it, keep it. The status to exit with."""
    options = arguments()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, ended)
    found = json.loads(options.source.read_text()) if options.source else fresh(options)
    path = options.source or RESULTS / time.strftime("chaos-%Y%m%d-%H%M%S.json")
    if not options.source or options.into:
        measured(options, found, path)
    print(f"{report.caption(found, path.name)}\n\n{report.table(ROWS, found)}\n\nraw rounds: bench/results/{path.name}")
    if options.write:
        written(found, path.name)
    return 1 if found["missing"] else 0


def ended(*_: object) -> None:
    """Told to stop: once, for what was made is to be removed first."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.exit(1)


def arguments() -> argparse.Namespace:
    """The command line."""
    names = [one.name for one in ROWS]
    parser = argparse.ArgumentParser(prog="python -m bench.chaos", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"{', '.join(names)}, none (default: all)")
    parser.add_argument("--seconds", type=float, default=30, help="of each round before Haystack, at least")
    parser.add_argument("--peer-seconds", type=float, default=15, help="of each round before another proxy")
    parser.add_argument("--connections", type=int, default=64, help="of the load")
    parser.add_argument("--pace", type=float, default=1, help="seconds between what happens")
    parser.add_argument("--peers", nargs="*", type=str.lower, default=["haystack", "haproxy", "nginx"], help="which of the three")
    parser.add_argument("--protocols", nargs="*", choices=PROTOCOLS, default=["http"], help="how clients ask (default: http)")
    parser.add_argument("--runs", type=int, default=0, help="besides, from event to last request: containers ended for each series")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--from", dest="source", type=Path, help="play nothing: show the raw rounds of this file")
    source.add_argument("--into", type=Path, help="play, and put it into the place of what this file of raw rounds has of it")
    parser.add_argument("--write", action="store_true", help="put the tables into README.md and bench/README.md")
    options = parser.parse_args()
    if unknown := set(options.rows) - {*names, "none"}:
        parser.error(f"no row {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    options.source = options.source or options.into
    options.rows = [row(one) for one in options.rows if one != "none"] if options.rows else list(ROWS)
    return options


def fresh(options: argparse.Namespace) -> dict[str, Any]:
    """Where and how, and nothing played yet."""
    beside = ", ".join(one for one in versions().split(", ") if one.startswith(("haproxy", "nginx")))
    found = {"date": time.strftime("%Y-%m-%d %H:%M"), "machine": machine(), "peers": beside, "connections": options.connections}
    return found | {"seconds": options.seconds, "peer_seconds": options.peer_seconds, "rounds": [], "missing": []}


def measured(options: argparse.Namespace, found: dict[str, Any], path: Path) -> None:
    """Play all of it; the file has at any time what was played so far."""
    RESULTS.mkdir(exist_ok=True)

    def plan(peer: str, **how: Any) -> Plan:
        seconds = options.seconds if peer == "haystack" else options.peer_seconds
        return Plan(options.connections, options.pace, seconds=seconds, **how)

    def keep(so_far: dict[str, Any]) -> None:
        path.write_text(json.dumps(so_far, indent=1) + "\n")

    with Sealing() as sealing:
        courses = []
        for protocol in options.protocols:
            how = partial(plan, protocol=protocol, sealing=sealing if protocol != "http" else None)
            courses.append(Course(options.rows, options.peers, how, found, keep, protocol, sealing))
        minutes = (sum(seconds for course in courses for _, seconds in course.steps()) + options.runs * A_RUN) / 60
        say(f"this takes about {minutes:.0f} min; what was played is in {path}, whatever happens")
        if options.runs:
            times(options.runs, courses[0])
        for course in courses:
            course.play()


def times(runs: int, course: Course) -> None:
    """From the engine's events to the traffic."""
    say(f"from event to last request: {runs} runs of each series")
    try:
        course.found["discovery"] = discovery.run(runs)
    except Exception as error:  # noqa: BLE001 - the rows are worth playing all the same
        course.missed("from event to last request", "", "haystack", error)
    course.keep(course.found)


def written(found: dict[str, Any], raw: str) -> None:
    """The tables into the place of the old ones."""
    replace(README, "chaos", f"{report.caption(found, raw)}\n\n{report.table(ROWS, found)}")
    replace(FRONT, "chaos", report.front(ROWS, found))
    if "discovery" in found:
        where = f"Measured {found['date']} on {found['machine']}; raw: `results/{raw}`."
        replace(README, "discovery", f"{where}\n\n{discovery.table(found['discovery'])}")


if __name__ == "__main__":
    sys.exit(main())

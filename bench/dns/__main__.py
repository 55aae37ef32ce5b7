"""python -m bench.dns: measures, prints and keeps the DNS figures of bench/README.md. Raw rows go to bench/results/."""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from bench.__main__ import README, RESULTS, cores, machine
from bench.dns import compare, report
from bench.dns.alone import WORKS
from bench.dns.scenarios import SCENARIOS
from bench.macro.peers import program
from bench.macro.plot import draw
from bench.macro.report import replace, section

VERSIONS = {"knotd": "--version", "unbound": "-V", "dnsmasq": "--version", "coredns": "-version", "dnsperf": "-h"}
AXIS = "Haystack's CPU time a query to Knot's (zone) or unbound's (cached); the bar is the aim"


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
    return 0


def measured(options: argparse.Namespace) -> dict[str, Any]:
    """All that was asked for."""
    found: dict[str, Any] = {"date": time.strftime("%Y-%m-%d %H:%M"), "machine": machine(), "cores": len(cores()), "peers": versions()}
    found |= {"rounds": options.rounds, "seconds": options.seconds, "rows": [], "alone": []}
    for scenario in SCENARIOS:
        if not options.what or scenario.name in options.what:
            print(f"{time.strftime('%H:%M:%S')} {scenario.title}", file=sys.stderr)
            found["rows"] += compare.run(scenario, options.rounds, options.seconds, cores())
    for name, work in WORKS.items():
        if not options.what or name in options.what:
            print(f"{time.strftime('%H:%M:%S')} {name}", file=sys.stderr)
            found["alone"] += work(options.rounds, options.seconds, cores())
    return found


def versions() -> str:
    """The servers and the load, each with its version. Raises RuntimeError where one that Debian has is missing."""
    told = {}
    for name, flag in VERSIONS.items():
        if name == "coredns" and not shutil.which(name):
            told[name] = "not installed"
            continue
        done = subprocess.run([program(name), flag], check=False, capture_output=True, text=True)
        found = re.search(r"\d+\.\d+(\.\d+)?", done.stdout + done.stderr)
        told[name] = found[0] if found else "unknown"
    return ", ".join(f"{name} {version}" for name, version in told.items())


def kept(found: dict[str, Any]) -> Path:
    """The file that the raw figures were written to."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / time.strftime("dns-%Y%m%d-%H%M%S.json")
    path.write_text(json.dumps(found, indent=1) + "\n")
    return path


def shown(found: dict[str, Any], raw: Path, *, write: bool) -> None:
    """Print the tables; with write, put them and the plot in the place of the README's."""
    scenarios = [s for s in SCENARIOS if any(row["scenario"] == s.name for row in found["rows"])]
    parts = [report.table(scenarios, found["rows"], found["cores"])] if scenarios else []
    parts += [report.singles(found["alone"])] if found["alone"] else []
    text = "\n\n".join(parts)
    print(f"{found['date']}, {found['machine']}\n\n{text}\n\nraw figures: bench/results/{raw.name}")
    if write:
        draw(scenarios, found["rows"], found["cores"], RESULTS / "dns.svg", AXIS)
        replace(README, "dns", section(found, text, "results/dns.svg", f"results/{raw.name}"))


def arguments() -> argparse.Namespace:
    """The command line."""
    names = [*(scenario.name for scenario in SCENARIOS), *WORKS]
    parser = argparse.ArgumentParser(prog="python -m bench.dns", description=__doc__)
    parser.add_argument("what", nargs="*", metavar="NAME", choices=[*names, []], help=f"{', '.join(names)} (default: all)")
    parser.add_argument("--rounds", type=int, default=5, help="alternating rounds of each scenario")
    parser.add_argument("--seconds", type=int, default=4, help="length of a round; at least 4 for a real figure")
    parser.add_argument("--from", dest="source", type=Path, help="measure nothing: show the raw figures of this file")
    parser.add_argument("--write", action="store_true", help="put the tables and the plot into bench/README.md")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

"""python -m bench: measures, prints and keeps the figures of bench/README.md. Raw rows go to bench/results/."""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from bench.macro import compare, earlier, report
from bench.macro import discovery as latencies
from bench.macro.peers import program
from bench.macro.plot import draw
from bench.macro.scenarios import SCENARIOS, chosen
from bench.soak.run import run as soak

HERE = Path(__file__).parent
RESULTS = HERE / "results"
README = HERE / "README.md"
VERSIONS = {"nginx": "-v", "haproxy": "-v", "caddy": "version", "wrk": "-v"}


def main() -> int:
    """Measure what was asked for, print it, keep it. The status to exit with."""
    options = arguments()
    if options.what == ["soak"]:
        return soaked(options)
    try:
        if options.source:
            found, raw = json.loads(options.source.read_text()), options.source
        else:
            found = measured(options)
            raw = kept(found)
    except (RuntimeError, subprocess.CalledProcessError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    shown(found, raw, write=options.write)
    return 0


def measured(options: argparse.Namespace) -> dict[str, Any]:
    """All that was asked for."""
    found: dict[str, Any] = {"date": time.strftime("%Y-%m-%d %H:%M"), "machine": machine(), "cores": len(cores()), "peers": versions()}
    found |= {"rounds": options.rounds, "seconds": options.seconds, "rows": []}
    for scenario in options.scenarios:
        print(f"{time.strftime('%H:%M:%S')} {scenario.title}", file=sys.stderr)
        work = earlier.beside(scenario, options.earlier) if options.earlier else scenario
        found["rows"] += compare.run(work, options.rounds, options.seconds, tuple(options.peers), cores())
    if "discovery" in options.what:
        found["discovery"] = latencies.run(options.runs)
    return found


def soaked(options: argparse.Namespace) -> int:
    """The soak: print its report; 1 where anything was wrong, and the README stays as it is."""
    text, wrong = soak(options.minutes)
    print(text)
    for line in wrong:
        print(f"bench: soak: {line}", file=sys.stderr)
    if options.write and not wrong:
        report.replace(README, "soak", f"Run {time.strftime('%Y-%m-%d %H:%M')} on {machine()}; nothing failed.\n\n{text}")
    return 1 if wrong else 0


def kept(found: dict[str, Any]) -> Path:
    """The file that the raw figures were written to."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / time.strftime("%Y%m%d-%H%M%S.json")
    path.write_text(json.dumps(found, indent=1) + "\n")
    return path


def shown(found: dict[str, Any], raw: Path, *, write: bool) -> None:
    """Print the tables; with write, put them and the plot in the place of the README's."""
    name = f"results/{raw.name}"
    if rows := found["rows"]:
        measured_here = {row["scenario"] for row in rows}
        scenarios = [s for s in SCENARIOS if s.name in measured_here]
        text = report.table(scenarios, rows, found["cores"])
        print(f"{found['date']}, {found['machine']}\n\n{text}")
        if write:
            draw(scenarios, rows, found["cores"], RESULTS / "ratios.svg")
            report.replace(README, "figures", report.section(found, text, "results/ratios.svg", name))
        if text := earlier.table(scenarios, rows):
            print(f"\n{text}")
            if write:
                report.replace(README, "earlier", f"Measured {found['date']} on {found['machine']}; raw: `{name}`.\n\n{text}")
    if "discovery" in found:
        text = latencies.table(found["discovery"])
        print(f"\n{text}")
        if write:
            report.replace(README, "discovery", f"Measured {found['date']} on {found['machine']}; raw: `{name}`.\n\n{text}")
    print(f"\nraw figures: bench/{name}")


def arguments() -> argparse.Namespace:
    """The command line."""
    names = [scenario.name for scenario in SCENARIOS]
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("what", nargs="*", metavar="NAME", help=f"{', '.join(names)}, discovery, soak (default: all but the last two)")
    parser.add_argument("--rounds", type=int, default=5, help="alternating rounds of each scenario")
    parser.add_argument("--seconds", type=int, default=4, help="length of a round; at least 4 for a real figure")
    parser.add_argument("--peers", nargs="*", type=str.lower, default=[], help="nginx, haproxy, caddy, haystack, earlier (default: all)")
    parser.add_argument("--earlier", type=Path, help="another checkout, built: its Haystack does the same work beside this one")
    parser.add_argument("--runs", type=int, default=20, help="discovery: containers started, and containers ended")
    parser.add_argument("--minutes", type=float, default=10, help="soak: how long")
    parser.add_argument("--from", dest="source", type=Path, help="measure nothing: show the raw figures of this file")
    parser.add_argument("--write", action="store_true", help="put the tables and the plot into bench/README.md")
    options = parser.parse_args()
    try:
        named = [name for name in options.what if name != "discovery"]
        options.scenarios = [] if (options.what and not named) or named == ["soak"] else chosen(named)
    except KeyError as error:
        parser.error(f"no scenario {error}; there are {', '.join(names)}")
    return options


def cores() -> list[int]:
    """The cores that this process may use."""
    return sorted(os.sched_getaffinity(0))


def versions() -> str:
    """The peers and the load, each with its version."""
    told = {}
    for name, flag in VERSIONS.items():
        done = subprocess.run([program(name), flag], check=False, capture_output=True, text=True)
        found = re.search(r"\d+\.\d+(\.\d+)?", done.stdout + done.stderr)
        told[name] = found[0] if found else "unknown"
    return ", ".join(f"{name} {version}" for name, version in told.items())


def machine() -> str:
    """Processor, cores, kernel and Python: what a figure depends on. No name of the machine."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    count = sum(line.startswith("processor") for line in lines)
    kernel = re.match(r"\d+\.\d+", platform.release())
    return f"{model}, {count} cores, Linux {kernel[0] if kernel else '?'}, Python {platform.python_version()}"


if __name__ == "__main__":
    sys.exit(main())

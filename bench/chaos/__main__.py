"""python -m bench.chaos (make bench-chaos): the chaos table, Haystack beside HAProxy and nginx on the same containers.

Needs a Docker Engine with the images nginx and python:3.11-slim, whose containers can be reached from here. Removes only
what it made. Raw rounds go to bench/results/.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker
from docker.models.networks import Network

from bench.__main__ import README, RESULTS, machine, versions
from bench.chaos import events, report
from bench.chaos.fleet import Fleet
from bench.chaos.peers import Haproxy, NginxPeer
from bench.chaos.rounds import Plan, Round, played
from bench.chaos.rows import ROWS, Row, row
from bench.macro import discovery
from bench.macro.process import Haystack, Process
from bench.macro.report import replace

HOST = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
KEPT = 50  # failures of a round that go to the raw file


def main() -> int:
    """Play what was asked for, print it, keep it. The status to exit with."""
    options = arguments()
    found = json.loads(options.source.read_text()) if options.source else played_rows(options)
    raw = options.source or kept(found)
    text = report.table((*ROWS, engine_row("")), found)
    print(f"{found['date']}, {found['machine']}; {found['peers']}\n\n{text}\n\nraw rounds: bench/results/{raw.name}")
    if options.write:
        replace(README, "chaos", f"{report.caption(found, raw.name)}\n\n{text}")
    return 0


def arguments() -> argparse.Namespace:
    """The command line."""
    names = [one.name for one in ROWS]
    parser = argparse.ArgumentParser(prog="python -m bench.chaos", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"{', '.join(names)} (default: all)")
    parser.add_argument("--seconds", type=float, default=30, help="of each round, at least")
    parser.add_argument("--connections", type=int, default=64, help="of the load")
    parser.add_argument("--peers", nargs="*", type=str.lower, default=["haystack", "haproxy", "nginx"], help="which of the three")
    parser.add_argument("--restart", default="", help="the row engine: a command that restarts the engine of DOCKER_HOST")
    parser.add_argument("--runs", type=int, default=0, help="besides, from event to last request: containers ended for each series")
    parser.add_argument("--from", dest="source", type=Path, help="play nothing: show the raw rounds of this file")
    parser.add_argument("--write", action="store_true", help="put the table into bench/README.md")
    options = parser.parse_args()
    if unknown := set(options.rows) - set(names):
        parser.error(f"no row {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    return options


def played_rows(options: argparse.Namespace) -> dict[str, Any]:
    """All rounds of all rows."""
    client = docker.from_env(timeout=120)
    found: dict[str, Any] = {"date": time.strftime("%Y-%m-%d %H:%M"), "machine": machine(), "peers": versions()}
    found |= {"connections": options.connections, "seconds": options.seconds, "rounds": []}
    plan = Plan(connections=options.connections, seconds=options.seconds)
    with network(client) as (name, prefix):
        for chosen in wanted(options):
            for method in chosen.kinds:
                addresses = [f"{prefix}.{number}" for number in range(10, 10 + 2 * chosen.members)]
                fleet = Fleet(client, chosen.kinds[method], f"chaos{os.getpid()}", (name, addresses), **chosen.options)
                found["rounds"] += list(beside(fleet, chosen, method, plan, options.peers))
    client.close()
    if options.runs:
        found["discovery"] = discovery.run(options.runs)
    return found


def wanted(options: argparse.Namespace) -> list[Row]:
    """The rows to play."""
    rows = [row(one) for one in options.rows] or ([] if options.restart else list(ROWS))
    return rows + ([engine_row(options.restart)] if options.restart else [])


def engine_row(command: str) -> Row:
    """The engine restarted by that command."""
    return Row("engine", "the engine restarted with live-restore", events.engine_restarted(command))


@contextmanager
def network(client: docker.DockerClient) -> Iterator[tuple[str, str]]:
    """A network of our own, so that containers keep their addresses: its name, and what the addresses begin with."""
    prefix = f"10.213.{random.randrange(256)}"
    pool = docker.types.IPAMPool(subnet=f"{prefix}.0/24")
    made: Network = client.networks.create(f"haystack-chaos-{os.getpid()}", ipam=docker.types.IPAMConfig(pool_configs=[pool]))
    try:
        yield str(made.name), prefix
    finally:
        made.remove()


def beside(fleet: Fleet, chosen: Row, method: str, plan: Plan, peers: Sequence[str]) -> Iterator[dict[str, Any]]:
    """One round before each proxy, with the same containers."""
    try:
        fleet.grow(chosen.members)
        for peer in peers:
            if chosen.alone and peer != "haystack":
                continue
            with before(peer, fleet, chosen) as proxy:
                done = played(proxy, fleet, method, chosen.act, plan)
                print(f"{time.strftime('%H:%M:%S')} {chosen.name} {method} {proxy.name}\n{done.story()}", file=sys.stderr)
                yield record(chosen, method, proxy, done)
    finally:
        fleet.remove()


def before(peer: str, fleet: Fleet, chosen: Row) -> Process:
    """That proxy, set to the fleet's containers. Haystack finds them by itself."""
    if peer == "haystack":
        return Haystack(**({"DOCKER_HOST": HOST} | chosen.settings))
    addresses = fleet.network[1] if fleet.network else []
    # those of the containers that a redeploy will bring are told beforehand
    static = addresses if chosen.name == "redeploy" else [fleet.address(container) for container in fleet.members]
    return {"haproxy": Haproxy, "nginx": NginxPeer}[peer](static)


def record(chosen: Row, method: str, proxy: Process, done: Round) -> dict[str, Any]:
    """What of the round is kept."""
    kept_of = done.report | {"failures": done.report["failures"][:KEPT]}
    figures = {"failed": done.failed, "slowest_ms": done.slowest, "rate": done.rate, "twice": len(done.twice), "lost": done.lost}
    late = len(done.failed_after(chosen.grace)) if chosen.grace else None
    return {"row": chosen.name, "method": method, "peer": proxy.name, "late": late} | figures | {"told": done.told, "report": kept_of}


def kept(found: dict[str, Any]) -> Path:
    """The file that the raw rounds were written to."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / time.strftime("chaos-%Y%m%d-%H%M%S.json")
    path.write_text(json.dumps(found, indent=1) + "\n")
    return path


if __name__ == "__main__":
    sys.exit(main())

"""What HTTP costs with a busy DNS in the same worker, and without.

What DNS itself costs is measured alone at the same rate, and taken off.
"""

from __future__ import annotations

import statistics
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from bench.dns import dnsperf, names
from bench.dns.names import Record
from bench.macro import wrk
from bench.macro.compare import Cores, place, prove
from bench.macro.meter import cpu
from bench.macro.origin import Origin
from bench.macro.peers import HaystackProxy
from bench.macro.wrk import Load

RATE = 5000
LOAD = Load()
RECORDS = (Record(f"bench.services.{names.ORIGIN}", "A", ""), Record(f"c0.containers.{names.ORIGIN}", "A", "127.0.0.1"))


class Meter:
    """One worker under loads. Microseconds of its CPU time."""

    def __init__(self, peer: HaystackProxy, questions: Path, seconds: int, cores: Cores) -> None:
        self._peer, self._questions, self._seconds, self._cores = peer, questions, seconds, cores
        self._workers = peer.groups()["worker"]

    def _dns(self) -> subprocess.Popen[str]:
        words = dnsperf.command(self._peer.told["dns"], self._questions, self._cores.load, seconds=self._seconds, rate=RATE)
        return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)

    def dns(self) -> float:
        """A query, with nothing else."""
        before = cpu(self._workers)
        told = dnsperf.parse(self._dns().communicate()[0])
        return (cpu(self._workers) - before).total / told.completed

    def http(self) -> float:
        """A request, with nothing else."""
        before = cpu(self._workers)
        told = wrk.run(LOAD, self._peer.port, self._seconds, self._cores.load)
        return (cpu(self._workers) - before).total / told.requests

    def both(self, query: float) -> float:
        """A request while DNS is busy, whose queries cost so much."""
        before = cpu(self._workers)
        dns = self._dns()
        told = wrk.run(LOAD, self._peer.port, self._seconds, self._cores.load)
        queries = dnsperf.parse(dns.communicate()[0]).completed
        return ((cpu(self._workers) - before).total - query * queries) / told.requests


def beside(rounds: int, seconds: int, have: list[int]) -> list[dict[str, Any]]:
    """The ratio of both, median over the rounds."""
    cores = Cores(have, 1)
    found = []
    with Origin() as origin, HaystackProxy(origin.port) as peer, tempfile.TemporaryDirectory() as folder:
        prove(peer, LOAD)
        place(origin, cores.load, cores.load)
        place(peer, cores.proxy, cores.load)
        questions = Path(folder, "questions")
        questions.write_text(names.questions(iter(RECORDS)))
        meter = Meter(peer, questions, seconds, cores)
        for number in range(rounds):
            without = meter.http() if number % 2 else 0.0
            query = meter.dns()
            together = meter.both(query)
            found.append({"query": query, "without": without or meter.http(), "with": together})
    ratios = [each["with"] / each["without"] for each in found]
    medians = {key: statistics.median(each[key] for each in found) for key in ("without", "with", "query")}
    more = f"{medians['without']:.1f} µs without, {medians['with']:.1f} with {RATE} queries a second of {medians['query']:.1f} µs each; "
    more += f"least {min(ratios):.2f}, most {max(ratios):.2f}"
    title = "HTTP, CPU a request, with DNS beside it to without"
    return [{"work": title, "value": statistics.median(ratios), "unit": "", "limit": 1.05, "goal": None, "more": more, "raw": found}]

"""What HTTP costs with a busy DNS in the same worker, and without.

A worker's CPU time is h a request and d a query, both unknown: two rates of queries beside as many requests as wrk can make are two
equations. A query alone costs more than one that comes while the worker runs anyway, so it can't be measured by itself.
"""

from __future__ import annotations

import statistics
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.dns import compare, dnsperf, names
from bench.dns.names import Record
from bench.macro import wrk
from bench.macro.compare import Cores, place, prove
from bench.macro.meter import cpu
from bench.macro.origin import Origin
from bench.macro.peers import HaystackProxy
from bench.macro.wrk import Load

RATES = (3000, 12_000)
LOAD = Load()
RECORDS = (Record(f"bench.services.{names.ORIGIN}", "A", ""), Record(f"c0.containers.{names.ORIGIN}", "A", "127.0.0.1"))


@dataclass(frozen=True)
class Share:
    """What a worker did in one run. us: of its CPU time."""

    us: float
    requests: int
    queries: int


class Meter:
    """One worker under loads."""

    def __init__(self, peer: HaystackProxy, questions: Path, seconds: int, cores: Cores) -> None:
        self._peer, self._questions, self._seconds, self._cores = peer, questions, seconds, cores
        self._workers = peer.groups()["worker"]

    def share(self, rate: int) -> Share:
        """As many requests as wrk can make, and so many queries a second; 0: none."""
        words = dnsperf.command(self._peer.told["dns"], self._questions, self._cores.load, seconds=self._seconds, rate=rate)
        before = cpu(self._workers)
        dns = subprocess.Popen(words, stdout=subprocess.PIPE, text=True) if rate else None
        requests = wrk.run(LOAD, self._peer.port, self._seconds, self._cores.load).requests
        queries = dnsperf.parse(dns.communicate()[0]).completed if dns else 0
        return Share((cpu(self._workers) - before).total, requests, queries)


def costs(one: Share, two: Share) -> tuple[float, float]:
    """Microseconds a request and a query, by Cramer's rule."""
    ground = one.requests * two.queries - two.requests * one.queries
    return (one.us * two.queries - two.us * one.queries) / ground, (one.requests * two.us - two.requests * one.us) / ground


def beside(rounds: int, seconds: int, have: list[int]) -> list[dict[str, Any]]:
    """The ratio of both, median over the rounds."""
    cores = Cores(have, 1)
    with Origin() as origin, HaystackProxy(origin.port) as peer, tempfile.TemporaryDirectory() as folder:
        prove(peer, LOAD)
        place(origin, cores.load, cores.load)
        place(peer, cores.proxy, cores.load)
        questions = Path(folder, "questions")
        questions.write_text(names.questions(iter(RECORDS)))
        meter = Meter(peer, questions, seconds, cores)
        meter.share(RATES[0])
        found = [_round(meter, number) for number in range(rounds)]
    ratios = [each["with"] / each["without"] for each in found]
    medians = {key: statistics.median(each[key] for each in found) for key in found[0]}
    more = f"{medians['without']:.1f} µs without, {medians['with']:.1f} with {RATES[0]:,} and {RATES[1]:,} queries a second, "
    more += f"which cost {medians['query']:.1f} µs each; least {min(ratios):.2f}, most {max(ratios):.2f}"
    title = "HTTP, CPU a request, with DNS beside it to without"
    return [{"work": title, "value": statistics.median(ratios), "unit": "", "limit": 1.05, "goal": None, "more": more, "raw": found}]


def _round(meter: Meter, number: int) -> dict[str, float]:
    """One figure of each kind; another kind begins each round."""
    shares = {rate: meter.share(rate) for rate in compare.turned([0, *RATES], number)}
    request, query = costs(*(shares[rate] for rate in RATES))
    return {"without": shares[0].us / shares[0].requests, "with": request, "query": query}

"""The works that are measured: each a record, all in one table. Aims: ratios to the best other proxy; nothing here runs anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from bench.macro.peers import WIDE_HAPROXY, WIDE_NGINX, CaddyProxy, HaproxyProxy, HaystackProxy, ManyNginxProxy, NginxProxy
from bench.macro.process import Process
from bench.macro.spanned import SpannedHaystack
from bench.macro.traced import TracedHaystack
from bench.macro.watched import WatchedHaystack
from bench.macro.wrk import Load

SUBJECT = "Haystack"
BEST = ("nginx", "HAProxy")
MANY = 1000
HEADERS = (*(f"X-Header-{n:02d}: {'v' * 40}" for n in range(20)), "Cookie: " + "session=" + "c" * 1016)


@dataclass(frozen=True)
class Aim:
    """What to reach: `figure` of `subject` by the best of `base` at most (least: at least) `limit`, median over the rounds.

    Without a base `limit` is for the figure itself; without a limit the figure is there to compare with. cores: how many the machine
    needs for the figure to say anything.
    """

    figure: str
    limit: float | None
    goal: float | None = None
    subject: str = SUBJECT
    base: tuple[str, ...] = BEST
    least: bool = False
    cores: int = 2


@dataclass(frozen=True)
class Contestant:
    """A proxy by name. make: from the origin's port; load: where it differs from the scenario's."""

    name: str
    make: Callable[[int], Process]
    load: Load | None = None


PEERS = (
    Contestant("nginx", NginxProxy),
    Contestant("HAProxy", HaproxyProxy),
    Contestant("Caddy", CaddyProxy),
    Contestant(SUBJECT, HaystackProxy),
)


@dataclass(frozen=True)
class Scenario:
    """One work. origin: small (nginx), wide (nginx on all of 127/8) or sink; workers: cores that the proxy may use.

    idle: no load but connections that stay open after one request, as many as load.connections.
    """

    name: str
    title: str
    load: Load
    aims: tuple[Aim, ...]
    contestants: tuple[Contestant, ...] = PEERS
    origin: str = "small"
    workers: int = 1
    idle: bool = False


TUNED = (
    Contestant("nginx", partial(NginxProxy, more=WIDE_NGINX)),
    Contestant("HAProxy", partial(HaproxyProxy, more=WIDE_HAPROXY)),
    Contestant(SUBJECT, HaystackProxy),
)
DOWN_64K, DOWN_1M, UP_1M = Load(path="/64k"), Load(path="/1m", connections=16), Load(method="PUT", body=1 << 20, connections=16)
BODIES = (Aim("cpu_us", 0.85),)
FIRST = Load(host="bench0.services.haystack")
EVERY = Load(host="bench%d.services.haystack", hosts=MANY)

SCENARIOS = (
    Scenario("keepalive", "64 keep-alive connections, 66-byte body", Load(), (Aim("cpu_us", 0.90, goal=0.75),)),
    Scenario("thousand", "1,000 keep-alive connections", Load(connections=1000), (Aim("cpu_us", 0.90), Aim("p99_ms", 1.0))),
    Scenario("headers", "20 headers of 40 bytes and a cookie of 1 KiB", Load(headers=HEADERS), (Aim("cpu_us", 0.75, goal=0.6),)),
    Scenario("close", "no keep-alive: a connection a request", Load(close=True), (Aim("cpu_us", 1.0),)),
    Scenario("down64k", "64 KiB down", DOWN_64K, BODIES),
    Scenario("down1m", "1 MiB down, 16 connections", DOWN_1M, BODIES),
    Scenario("up1m", "1 MiB up, 16 connections", UP_1M, BODIES, origin="sink"),
    Scenario("down64k-tuned", "64 KiB down, peers with larger buffers", DOWN_64K, BODIES, TUNED),
    Scenario("down1m-tuned", "1 MiB down, peers with larger buffers", DOWN_1M, BODIES, TUNED),
    Scenario("up1m-tuned", "1 MiB up, peers with larger buffers", UP_1M, BODIES, TUNED, origin="sink"),
    Scenario("idle", "5,000 idle connections", Load(connections=5000), (Aim("kib", 2.0, base=()),), idle=True),
    Scenario(
        "services",
        "1,000 services of 5 endpoints",
        Load(),
        (
            Aim("cpu_us", 1.05, subject="one Host asked", base=("1 service",)),
            Aim("cpu_us", 1.05, subject="every Host asked", base=("1 service",)),
            Aim("cpu_us", None, subject="nginx, one Host asked", base=("nginx, 1 service",)),
            Aim("cpu_us", None, subject="nginx, every Host asked", base=("nginx, 1 service",)),
        ),
        (
            Contestant("1 service", partial(HaystackProxy, services=1, endpoints=5)),
            Contestant("one Host asked", partial(HaystackProxy, services=MANY, endpoints=5), FIRST),
            Contestant("every Host asked", partial(HaystackProxy, services=MANY, endpoints=5), EVERY),
            Contestant("nginx, 1 service", partial(ManyNginxProxy, services=1, endpoints=5), FIRST),
            Contestant("nginx, one Host asked", partial(ManyNginxProxy, services=MANY, endpoints=5), FIRST),
            Contestant("nginx, every Host asked", partial(ManyNginxProxy, services=MANY, endpoints=5), EVERY),
        ),
        origin="wide",
    ),
    Scenario(
        "workers",
        "2 workers",
        Load(),
        (Aim("rate", 1.8, subject="2 workers", base=("1 worker",), least=True, cores=4),),
        (Contestant("1 worker", HaystackProxy), Contestant("2 workers", partial(HaystackProxy, HAYSTACK_WORKERS="2"))),
        workers=2,
    ),
    Scenario(
        "observed",
        "access log, trace of one other service, and spans of 1 % of the requests, on",
        FIRST,
        (
            Aim("cpu_us", 1.15, subject="access log and trace", base=("neither",)),
            Aim("cpu_us", 1.15, subject="trace of another", base=("neither",)),
            Aim("cpu_us", 1.15, subject="access log and spans", base=("neither",)),
            Aim("cpu_us", 1.15, subject="JSON log and spans", base=("neither",)),
        ),
        (
            Contestant("neither", partial(HaystackProxy, services=2)),
            Contestant("access log and trace", partial(TracedHaystack, HAYSTACK_ACCESS_LOG="common")),
            Contestant("trace of another", TracedHaystack),
            Contestant("access log and spans", partial(SpannedHaystack, share="0.01", HAYSTACK_ACCESS_LOG="common")),
            Contestant("JSON log and spans", partial(SpannedHaystack, share="0.01", HAYSTACK_ACCESS_LOG="json")),
        ),
        origin="wide",
    ),
    Scenario(
        "watched",
        "page open, `top` running, and metrics scraped each second",
        FIRST,
        (Aim("cpu_us", 1.03, subject="watched", base=("by nobody",)),),
        (Contestant("by nobody", partial(HaystackProxy, services=2)), Contestant("watched", WatchedHaystack)),
        origin="wide",
    ),
)


def chosen(names: list[str]) -> list[Scenario]:
    """The scenarios of these names, in the table's order (none: all). Raises KeyError with the first that is unknown."""
    known = {scenario.name: scenario for scenario in SCENARIOS}
    for name in names:
        if name not in known:
            raise KeyError(name)
    return [scenario for scenario in SCENARIOS if not names or scenario.name in names]

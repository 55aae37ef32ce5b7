"""The works that are measured beside others: each a record, all in one table. Aims: ratios to one other server.

Nothing here runs anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bench.dns.names import Forwarded, Record, Zone
from bench.dns.servers import forwarding_servers, zone_servers
from bench.macro.process import Process
from bench.macro.scenarios import Aim


@dataclass(frozen=True)
class Server:
    """One of those that are compared, by name."""

    name: str


@dataclass(frozen=True)
class Scenario:
    """One work. servers: by name, from the port of the nameserver that has FORWARDED; records: what is asked for."""

    name: str
    title: str
    records: Callable[[], Iterator[Record]]
    servers: Callable[[int], dict[str, Process]]
    contestants: tuple[Server, ...]
    aims: tuple[Aim, ...]


def against(name: str) -> tuple[Aim, ...]:
    """What is to be reached beside that server."""
    return Aim("cpu_us", 1.2, goal=0.9, base=(name,)), Aim("lost", 0.0, base=())


def _zone(name: str, title: str, count: int) -> Scenario:
    zone = Zone(count)
    contestants = tuple(map(Server, ("Knot", "dnsmasq", "CoreDNS", "Haystack")))
    return Scenario(name, title, zone.records, lambda _: zone_servers(zone), contestants, against("Knot"))


UPSTREAM = Forwarded(1000)
SCENARIOS = (
    _zone("zone3", "zone answers, 3 names", 3),
    _zone("zone10000", "zone answers, 10,000 names", 10_000),
    Scenario(
        "cached", "cached forwarded answers, 1,000 names", UPSTREAM.records, forwarding_servers,
        tuple(map(Server, ("unbound", "dnsmasq", "CoreDNS", "Haystack"))), against("unbound"),
    ),
)  # fmt: skip

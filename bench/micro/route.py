"""`python -m bench.micro.route`: what a routing lookup costs, and what a change of the table costs a worker, at 10 to 10,000 services.

Every service has a name, a wildcard and a path prefix on a host that all share. Lookups go to all services in random order, so that at
10,000 most of them miss the processor's caches; `hot` asks for 64 of them, as real traffic mostly does. The best of the rounds counts.
"""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable
from types import SimpleNamespace

import msgspec

from haystack._fast.routing.router import Router
from haystack._fast.testing import lookup_ns
from haystack.model.service_options import usual
from haystack.proxy.worker_routes import Routes
from haystack.routing.routing_table import PART
from haystack.routing.rows import EndpointRow, ServiceRow, Table
from tests.oracles.routing_table import changes

COUNTS = (10, 100, 1000, 10_000)
ENDPOINTS = 5
LOOKUPS = 200_000
ROUNDS = 7
OPTIONS = usual(SimpleNamespace(balance="p2c", timeout=60.0, wait=10.0, https="on"), public=True)
Requests = list[tuple[bytes, bytes]]


def row(number: int, endpoints: int = ENDPOINTS) -> ServiceRow:
    """A service with one kind of port, served on both listeners."""
    rows = tuple(
        EndpointRow(f"{number:08x}{e:04x}:80/tcp", f"10.{number >> 8}.{number & 255}.{e}", 80, 100) for e in range(1, endpoints + 1)
    )
    hosts = (f"service-{number}.services.haystack", f"*.wild-{number}.example.com")
    return ServiceRow(hosts[0], hosts, OPTIONS, (rows,))


def shared(number: int) -> ServiceRow:
    """A service that has a path of a host that all share."""
    return ServiceRow(f"path-{number}.services.haystack", ("one.example",), OPTIONS, ((),), f"/api/v{number}")


def requests(numbers: list[int]) -> dict[str, Requests]:
    """What is asked for, by kind."""
    return {
        "exact": [(b"Service-%d.services.haystack:80" % n, b"/index.html") for n in numbers],
        "wildcard": [(b"www.wild-%d.example.com" % n, b"/index.html") for n in numbers],
        "path": [(b"one.example", b"/api/v%d/things?id=7" % n) for n in numbers],
        "no host": [(b"nobody-%d.services.haystack" % n, b"/index.html") for n in numbers],
        "no path": [(b"one.example", b"/api/x%d/things?id=7" % n) for n in numbers],
    }


def best(router: Router, asked: Requests) -> float:
    """Nanoseconds a lookup, at best."""
    return min(lookup_ns(router, asked, max(1, LOOKUPS // len(asked))) for _ in range(ROUNDS))


def lookups(count: int) -> str:
    """A line of the table of lookups."""
    router = Router()
    Routes((80, 8080), router).apply(Table(1, tuple(made(n) for made in (row, shared) for n in range(count))))
    numbers = list(range(count))
    random.Random(1).shuffle(numbers)
    asked = requests(numbers)
    figures = [best(router, asked[kind]) for kind in asked] + [best(router, asked["exact"][:64])]
    return f"| {count:,} | " + " | ".join(f"{figure:.0f}" for figure in figures) + " |"


def milliseconds(work: Callable[[], object]) -> float:
    """What one run takes, of a process that is set aside from the collector as a worker is."""
    gc.freeze()
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1000


def swaps(count: int) -> str:
    """A line of the table of changes: decoding and applying in the worker, comparing in the control process."""
    services = tuple(row(n) for n in range(count))
    whole = Table(1, services)
    one = Table(2, (*services[:-1], row(count - 1, ENDPOINTS - 1)))
    gone = Table(3, one.services[:-1])
    told = [list(changes(old, new)) for old, new in ((Table(0, ()), whole), (whole, one), (one, gone))]
    compare = milliseconds(lambda: list(changes(whole, one)))
    routes = Routes((80, 8080), Router())
    decode = msgspec.msgpack.Decoder(Table).decode
    took = [[milliseconds(lambda p=part: routes.apply(decode(p))) for part in map(msgspec.msgpack.encode, parts)] for parts in told]
    figures = (sum(took[0]), max(took[0]), sum(took[1]), sum(took[2]), compare)
    return f"| {count:,} | " + " | ".join(f"{figure:.2f}" for figure in figures) + " |"


def main() -> None:
    """Print both tables."""
    print("nanoseconds a lookup\n| services | exact | wildcard | path | no host | no path | exact, hot |\n|" + " --- |" * 7)
    for count in COUNTS:
        print(lookups(count), flush=True)
    print(f"\nmilliseconds of a change, {ENDPOINTS} endpoints a service, on two listeners, in parts of {PART} services")
    print("| services | all new: sum | longest part | one changed | one gone | comparing (control) |\n|" + " --- |" * 6)
    for count in COUNTS:
        print(swaps(count), flush=True)


if __name__ == "__main__":
    main()

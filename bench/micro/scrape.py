"""`python -m bench.micro.scrape`: CPU time for a page of /metrics, by number of endpoints and by how many had traffic.

The page is made as api/views.py makes it, without the network. `first`: nothing is known from a page before; the others are the median of
some pages, between which so many endpoints had exchanges.
"""

from __future__ import annotations

import time
from statistics import median
from types import SimpleNamespace

from haystack.loop.turns import Turns, at_once
from haystack.model.records import Container
from haystack.model.services import Endpoint, Service
from haystack.proxy.counters import Counts, Place
from haystack.proxy.ipc import Tally
from haystack.views.compressed import Gzip, chunks
from haystack.views.exposition import OPENMETRICS
from haystack.views.metrics import Exposition
from haystack.views.state import State
from tests.fakes.state import ENDPOINT, picture, state

SIZES = (100, 1000, 10_000)
EACH = 10  # endpoints in a service
ROUNDS = 7
TALLY: Tally = ((0, 0, 3, 1, 0, 0), 100, 5000, 0, 8_000_000, (20, 2, 30, 2))


def world(size: int) -> State:
    """So many endpoints, all of which have had traffic."""
    seen = picture()
    containers = [Container(id=f"{n:012x}".ljust(64, "0"), name=f"c{n}", engine="E", image="nginx") for n in range(size)]
    seen.containers = {container.id: container for container in containers}
    services: dict[str, list[Endpoint]] = {}
    for n, container in enumerate(containers):
        fields = {name: getattr(ENDPOINT, name) for name in ENDPOINT.__struct_fields__}
        endpoint = Endpoint(**fields | {"id": f"{container.short_id}:80/tcp", "container": container.id, "container_name": container.name})
        services.setdefault(f"s{n // EACH}.services.haystack", []).append(endpoint)
    seen.services = {name: Service(name=name, endpoints=tuple(found)) for name, found in services.items()}
    made: State = state(snapshot=seen)
    for name, service in seen.services.items():
        made.proxy.requests[name, 80] = Counts({Place(e.id, "10.0.0.1", 80): 1 for e in service.endpoints})  # type: ignore[index]
    touch(made, size)
    return made


def touch(made: State, count: int) -> None:
    """So many endpoints had exchanges."""
    endpoints = [(name, e.id) for name, service in made.snapshot.services.items() for e in service.endpoints]
    for name, identity in endpoints[: count or None] if count else ():
        made.proxy.traffic.put(name, identity, TALLY, 0.0)
    made.proxy.traffic.take_recent()


def page(exposition: Exposition, gzip: Gzip | None, figures: SimpleNamespace) -> float:
    """CPU milliseconds of one page."""

    def work() -> Turns[list[bytes]]:
        pieces = yield from exposition.pieces(OPENMETRICS)
        figures.size = sum(map(len, pieces))
        return (yield from gzip.of(pieces) if gzip is not None else chunks(pieces))

    begun = time.thread_time()
    figures.sent = sum(map(len, at_once(work())))
    return (time.thread_time() - begun) * 1000


def main() -> None:
    """A Markdown table."""
    print(
        "| endpoints | busy between two | encoding | first, ms | next, ms | KiB | KiB sent |\n| --- | --- | --- | --- | --- | --- | --- |"
    )
    for size in SIZES:
        made, figures = world(size), SimpleNamespace()
        for busy in (0, size // 100, size):
            for gzip in (None, Gzip()):
                exposition = Exposition(made)
                first, later = page(exposition, gzip, figures), []
                for _ in range(ROUNDS):
                    touch(made, busy)
                    later.append(page(exposition, gzip, figures))
                encoding = "gzip" if gzip else "plain"
                told = f"{first:.1f} | {median(later):.1f} | {figures.size / 1024:.0f} | {figures.sent / 1024:.0f}"
                print(f"| {size:,} | {busy:,} | {encoding} | {told} |", flush=True)


if __name__ == "__main__":
    main()

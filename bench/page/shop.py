"""A small shop on one machine, with something of everything: what the screenshots show."""

from __future__ import annotations

import math
import time

from haystack.model.records import Container, Problem
from haystack.model.services import Carried, Cause, Endpoint, Override, Service
from haystack.observe.journal import Journal
from tests.fakes.browser import MadeUp, Now, Rate, containers, endpoint, service

NOW = time.time()
ORIGIN = "services.haystack"


def named(number: int, name: str, **changes: object) -> Endpoint:
    """An endpoint of a container of this name, which has run for hours."""
    return endpoint(number, **{"container_name": name, "since": NOW - 9000 - 700 * number, **changes})


def services() -> list[Service]:
    """Those of the shop: one has nobody, one is in panic, one is being rolled out, the others are well."""
    drain = Override(
        scope="container", target="web-003", name="web-003", container="", by="ann", at=NOW - 95, until=NOW + 505, why="kernel"
    )
    ejected = "ejected: 14 of 20 requests failed"
    web = [named(n, f"web-00{n}") for n in (1, 2)]
    web += [
        named(
            3,
            "web-003",
            ready=False,
            cause=Cause.DRAINED,
            reason="drained by ann: new kernel",
            since=NOW - 95,
            until=NOW + 505,
            overrides=(drain,),
        ),
        named(4, "web-004", ready=False, cause=Cause.STOPPING, reason="draining: kill SIGTERM", since=NOW - 2),
        named(5, "web-005", share=0.4, since=NOW - 6),
        named(6, "web-006", ready=False, cause=Cause.WAITING, awaited=True, reason="waits for port 80 to accept", since=NOW - 1),
    ]
    api = [named(n, f"api-{n}", cause=Cause.EJECTED, reason=ejected, since=NOW - 41, until=NOW + 19, port=8000) for n in (10, 11)]
    shop = Carried(host="shop.example.com"), Carried(host="www.example.com", path="/shop")
    return [
        service("web.nginx", *web, claims=shop, sticky="cart"),
        service("api", *api, claims=(Carried(host="api.example.com", path="/v1"),)),
        service("reports", named(20, "reports", ready=False, cause=Cause.GONE, reason="died with status 137", since=NOW - 312)),
        service("auth", *(named(n, f"auth-{n}") for n in (30, 31))),
        service("postgres", named(40, "postgres", listener=None, port=5432, port_name="postgresql")),
    ]


def problems() -> tuple[tuple[str, Problem], ...]:
    """A label that is misspelt."""
    odd = Problem(subject="label haystack.heath.path", message="no such label; did you mean health.path? label ignored")
    panic = Problem(subject="health of http", message="2 of 2 endpoints get requests although unhealthy, because too few are healthy")
    return ("api.services.haystack", panic), ("auth.services.haystack", odd)


def figures(made: MadeUp) -> None:
    """The traffic of five minutes, and how it is now."""
    for name, rate, errors, p99 in (("web.nginx", 420, 0.2, 38), ("api", 95, 31, 870), ("auth", 130, 0, 12)):
        waves = [1 + 0.25 * math.sin(n / 19) + 0.12 * math.sin(n / 3.1 + rate) for n in range(300)]
        wrong = [errors * wave * (n > 240 or errors < 1) for n, wave in enumerate(waves)]
        slow = [p99 * (1 + 0.3 * math.sin(n / 7 + rate)) / 1000 * (1 if n > 240 or errors < 1 else 0.1) for n in range(300)]
        made.histories[f"{name}.{ORIGIN}"] = [rate * wave for wave in waves], wrong, slow
        made.of_services[f"{name}.{ORIGIN}"] = Rate(rate * waves[-1], wrong[-1], slow[-1])
    for each in filter(lambda one: one.name in made.of_services, services()):
        ready = [one for one in each.endpoints if one.ready]
        of = made.of_services[each.name]
        for number, one in enumerate(ready):
            made.of_endpoints[one.id] = Rate(of.requests / len(ready), of.errors / len(ready), of.p99)
            made.loads[one.id] = Now(3 + 4 * number)


def held() -> dict[str, Container]:
    """The containers of all services, and one of none."""
    found = (endpoint for service in services() for endpoint in service.endpoints)
    made = {e.container: Container(id=e.container, name=e.container_name, engine="E", services=("x",), address=e.address) for e in found}
    return made | containers("backup")


def happened(journal: Journal) -> None:
    """What led to this."""
    for kind, about, text, names, by in (
        ("engine.listed", "box", "box: 11 containers in 5 services", (), ""),
        ("service.up", f"auth.{ORIGIN}", f"auth.{ORIGIN} is up: http://auth.{ORIGIN}/", ("auth",), ""),
        ("container.died", "reports", "reports ended; reports.services.haystack has no endpoint", ("reports",), ""),
        ("service.down", f"reports.{ORIGIN}", f"reports.{ORIGIN} is down: its last container has gone", ("reports",), ""),
        ("operator.drain", "web-003", "drains web-003 for 10 min: new kernel", ("web.nginx",), "ann"),
        ("endpoint.ejected", "api-10", "api-10 is ejected for 60 s: 14 of 20 requests failed", ("api",), ""),
        ("container.started", "web-005", "web-005 runs, and gets more requests each second", ("web.nginx",), ""),
        ("container.killed", "web-004", "web-004 was told to stop (SIGTERM), and gets no more requests", ("web.nginx",), ""),
    ):
        journal.add(kind, about, text, [f"{name}.{ORIGIN}" for name in names], by)

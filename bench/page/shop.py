"""A small shop on one machine, with something of everything: what the screenshots show."""

from __future__ import annotations

import time

from haystack.model.records import Carried, Cause, Endpoint, Override, Problem, Service
from haystack.observe.journal import Journal
from tests.fakes.browser import endpoint, service

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
    return (
        (
            "auth.services.haystack",
            Problem(subject="label haystack.heath.path", message="no such label; did you mean health.path? label ignored"),
        ),
    )


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

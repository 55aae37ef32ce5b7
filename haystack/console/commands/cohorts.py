"""`cohorts SERVICE`: errors and latency of a service by the image that its containers run, the odd one marked."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from haystack.console import listing, lists, short_ids
from haystack.console.command import JSON, NOT_FOUND, Asked, Command, Context, Kind, Result, word
from haystack.console.command_line import nearest_of
from haystack.console.long_text import Lines
from haystack.console.tables import Column, tabled
from haystack.loop.turns import Turns
from haystack.model import naming
from haystack.model.readiness import Readiness
from haystack.model.services import Service
from haystack.observe.safe_text import printable
from haystack.views.cohorts import Cohort, Member, cohorts, share
from haystack.views.state import State

COLUMNS = (
    "image id",
    Column("image", fold=True, spare=1, brief=short_ids.image, broken=True),
    Column("containers", fold=True, spare=2, broken=True),
    "ready",
    "requests",
    "errors",
    Column("p50", spare=3),
    "p99",
    Column("odd", fold=True),
)
SHOWN = 3  # containers that are named


async def ahead(state: State, _asked: Asked, context: Context) -> Context:
    """The newest counts of the workers."""
    await state.refresh()
    return context


def show(state: State, asked: Asked, context: Context) -> Turns[Result]:
    """A line an image."""
    name = lists.whole(asked["service"], state)
    service = state.snapshot.services.get(name)
    if service is None:
        short = naming.short_name(asked["service"].lower().removesuffix("."), state.snapshot.origin)
        return Result(f"no service {printable(name)}{yield from nearest_of(short, lists.short_names(state))}", NOT_FOUND)
    found = yield from cohorts(members(state, service))
    if asked["json"]:
        return Result((yield from listing.json_array(msgspec.to_builtins(each) for each in found)))
    out = Lines(printable(name))
    yield from tabled(out, COLUMNS, map(row, found), context.width)
    if not any(each.odd for each in found):
        out.add(verdict(found))
    return Result(out.pieces())


def members(state: State, service: Service) -> Iterator[Member]:
    """Its endpoints that requests are led to, with what was counted of each."""
    counted, containers = state.proxy.traffic.endpoints, state.snapshot.containers
    for endpoint in service.endpoints:
        container = containers.get(endpoint.container)
        if endpoint.listener is not None and container is not None:
            yield Member(container.name, container.image, container.image_id, endpoint.well, counted.get(endpoint.id), endpoint.panicked)


def row(cohort: Cohort) -> tuple[object, ...]:
    """An image as a person reads it."""
    more = len(cohort.containers) - SHOWN
    return (
        short_ids.identity(cohort.digest) if cohort.digest.startswith(short_ids.DIGEST) else None,
        cohort.image,
        [*cohort.containers[:SHOWN], *([f"{more} more"] if more > 0 else [])],
        str(Readiness(cohort.ready, cohort.panicked, cohort.endpoints)),
        f"{cohort.requests:,}",
        f"{cohort.errors:,} ({share(cohort.errors, cohort.requests)})",
        span(cohort.p50) if cohort.requests else None,
        span(cohort.p99) if cohort.requests else None,
        cohort.odd or None,
    )


def verdict(found: list[Cohort]) -> str:
    """Why none is marked."""
    if not found:
        return "it has no endpoint that speaks HTTP"
    return (
        "all its endpoints run one image" if len(found) == 1 else "none is clearly worse than the others, by as many requests as there were"
    )


def span(seconds: float) -> str:
    """``3.1 ms``, ``1.2 s``."""
    return f"{seconds:.3g} s" if seconds >= 1 else f"{seconds * 1000:.3g} ms"


COMMAND = Command(
    "cohorts",
    "errors and latency of a service by the image that its containers run; the odd one is marked",
    (word("service", "SERVICE", "its whole name, or the short one before .services.ORIGIN", completes=Kind.SERVICES), JSON),
    show,
    ahead=ahead,
    example="cohorts web.nginx",
)

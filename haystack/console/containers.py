"""The list of containers: which columns a person sees, with what is wrong with them below, and the JSON that a script gets. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from haystack.console import short_ids
from haystack.console.listing import ALL, Listing, Wanted, json_object, shown
from haystack.console.lists import add_health, problem_line, trouble_lines
from haystack.console.long_text import Lines
from haystack.console.tables import Column
from haystack.console.wrapping import prose
from haystack.loop.turns import Turns, ordered
from haystack.model import unproxied
from haystack.model.records import Container
from haystack.observe.safe_text import printable
from haystack.views import shapes
from haystack.views.state import State

CONTAINER = (
    "id",
    Column("name", fold=True, briefer=short_ids.name),
    Column("image", fold=True, spare=2, brief=short_ids.image),
    Column("address", fold=True, squeezed=20),
    Column("network", fold=True, spare=3),
    Column("ports", fold=True, squeezed=9),
    Column("state", spare=1),
    Column("health", spare=4),
    Column("services", fold=True, squeezed=16),
)


def containers_text(state: State, width: int | None, wanted: Wanted = ALL) -> Turns[list[str]]:
    """A line a container, and its problems below."""
    found = yield from ordered(state.snapshot.containers.values(), lambda c: f"{c.name}\0{c.id}")
    if not found:
        return Lines("no containers yet", *trouble_lines(state)).pieces()
    out = Lines()
    yield from shown(out, CONTAINER, map(_row, found), width, wanted)
    listed = []
    for container in found:
        if wanted.fits(_row(container)):
            listed.append(container)
            out.add(*prose(_wrong(container), width))
        yield
    yield from add_health(out, listed, width)
    out.add(*prose(trouble_lines(state), width))
    return out.pieces()


def _row(container: Container) -> tuple[object, ...]:
    """As CONTAINER has the columns."""
    return (
        container.short_id,
        unproxied.called(container.name, container.label),
        container.image,
        [each for each in (container.address, container.address6) if each],
        f"{container.network or '-'}: {container.address_reason.removeprefix(f'network {container.network}: ')}",
        [f"{p.number}/{p.protocol}" for p in container.ports] or "none",
        container.state,
        container.health,
        container.services,
    )


def _wrong(container: Container) -> Iterator[str]:
    """Why it is in no service, and its problems."""
    if why := unproxied.unserved(container):
        yield printable(f"{container.name}: {why}")
    yield from (f"{printable(container.name)}: {problem_line(problem)}" for problem in container.problems)


def containers_json(state: State, wanted: Wanted = ALL) -> Turns[list[str]]:
    """/api/containers."""
    snapshot = state.snapshot
    every = ((key, shapes.container_shape(snapshot.origin, c)) for key, c in snapshot.containers.items())
    return (yield from json_object((key, shape) for key, shape in every if wanted.fits((key, *shape.values()))))


CONTAINERS = Listing(containers_text, containers_json)

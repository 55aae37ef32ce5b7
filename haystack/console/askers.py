"""Who asked DNS for which names, and called which services over HTTP, as workers remember it: the rows of all workers, and the text.

Pure: reads one snapshot. Never asks a worker.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from haystack.console.listing import json_array
from haystack.console.long_text import Lines
from haystack.console.tables import Column, tabled
from haystack.dns import wire
from haystack.dns.messages import AskerRow
from haystack.loop.turns import Turns, ordered
from haystack.model import addresses, naming
from haystack.model.records import Container
from haystack.observe.safe_text import printable
from haystack.views.state import Picture, State

SHORTEST_ID = 4  # characters of an id by which a container is meant
HTTP = "HTTP"  # the type that stands for a call of a service
MINUTE, HOUR, DAY = 60, 3600, 86_400


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom `who` is about: a name (lower-case wire form), or clients (octets of addresses). title: what it was called."""

    title: str
    name: bytes | None = None
    clients: tuple[bytes, ...] | None = None

    @property
    def nobody(self) -> str:
        """That nothing is known."""
        return f"nobody has asked for {self.title} lately" if self.clients is None else f"{self.title} has asked for nothing lately"


@dataclass(frozen=True, slots=True)
class Asked:
    """One client that asked for a name, or called that service (types: HTTP). ago: seconds since it did last; containers: whose address."""

    name: str
    containers: tuple[str, ...]
    address: str
    types: tuple[str, ...]
    ago: float
    times: int


def subject(state: State, word: str) -> Turns[Subject]:
    """An address, else a container by its name or id, else the name of a service in short, else a name."""
    if address := addresses.octets(word):
        return Subject(addresses.text(address), clients=(address,))
    picture = state.snapshot
    found = [] if word.endswith(".") else (yield from _containers(picture, word))
    if found:
        known = {address for container in found for address in addresses.of(container)}
        return Subject(printable(found[0].name), clients=tuple(sorted(known)))
    short = naming.service_name(word.lower(), picture.origin)
    name = short if short in picture.services else word.lower().rstrip(".")
    try:
        return Subject(printable(name), name=wire.name(name))
    except ValueError:
        return Subject(printable(name), clients=())


def _containers(picture: Picture, word: str) -> Turns[list[Container]]:
    """Those of that name, else those whose ids begin so."""
    named, ids = [], []
    for container in picture.containers.values():
        if container.name == word:
            named.append(container)
        elif len(word) >= SHORTEST_ID and container.id.startswith(word.lower()):
            ids.append(container)
        yield
    return named or ids


def told(state: State, rows: Iterable[AskerRow]) -> Turns[list[Asked]]:
    """What all workers say, together, the latest first."""
    merged: dict[tuple[bytes, bytes, bool], AskerRow] = {}
    for row in rows:
        key = row.name, row.client, row.types == (HTTP,)
        known = merged.get(key)
        merged[key] = row if known is None else _both(known, row)
        yield
    holders = yield from _holders(state.snapshot, {client for _, client, _ in merged})
    found = []
    for row in (yield from ordered(merged.values(), lambda row: (int(row.ago * 1000), 0))):
        names = tuple(sorted(holders.get(row.client, ())))
        found.append(Asked(wire.text(row.name) or ".", names, addresses.text(row.client), row.types, round(row.ago, 3), row.times))
        yield
    return found


def _both(one: AskerRow, other: AskerRow) -> AskerRow:
    types = tuple(dict.fromkeys((*one.types, *other.types)))
    return AskerRow(one.name, one.client, types, min(one.ago, other.ago), one.times + other.times)


def _holders(picture: Picture, clients: set[bytes]) -> Turns[dict[bytes, list[str]]]:
    """The names of the containers that have these addresses, on any of their networks."""
    found: dict[bytes, list[str]] = {}
    for container in picture.containers.values() if clients else ():
        for address in addresses.of(container) & clients:
            found.setdefault(address, []).append(container.name)
        yield
    return found


def text(about: Subject, rows: Sequence[Asked], width: int | None) -> Turns[list[str]]:
    """A line a client of a name, or a name of a client."""
    out = Lines()
    if about.clients is None:
        lines = ((row.containers, row.address, row.types, since(row.ago), row.times) for row in rows)
        yield from tabled(
            out, (Column("container", fold=True), Column("address", fold=True), Column("types", fold=True), "last", "times"), lines, width
        )
    else:
        asked = ((row.name, row.types, since(row.ago), row.times, row.address) for row in rows)
        yield from tabled(
            out, (Column("name", fold=True), Column("types", fold=True), "last", "times", Column("address", fold=True)), asked, width
        )
    return out.pieces()


def json(rows: Sequence[Asked]) -> Turns[list[str]]:
    """The same for a script."""
    return (yield from json_array(rows))


def since(seconds: float) -> str:
    """How long ago, in the unit that a person would say it in."""
    for unit, size in (("d", DAY), ("h", HOUR), ("min", MINUTE)):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit} ago"
    return f"{seconds:.0f} s ago"

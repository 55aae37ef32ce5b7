"""Tells the log and the journal the same: a line of the log becomes an entry, where the journal has a kind for it.

Stands between those who see what has changed (membership.py, outages.py) and both. Never decides what is worth a line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from haystack.observe.bursts import Lines
from haystack.observe.journal import Note

SHOWN = 3  # services that a text names
Size = Callable[[str], int]  # how many containers are in a service
Fields = Mapping[str, object]  # of a line, and ``private``, as bursts.Lines has it


class Told(NamedTuple):
    """An entry to be. identity: of its container; detail: for the log and the shell alone."""

    kind: str
    about: str
    text: str
    services: Sequence[str] = ()
    identity: str = ""
    detail: str = ""


class Telling:
    """Lines for `crowd` whose events the journal hears of, too, by `note`."""

    def __init__(self, crowd: Lines, note: Note, size: Size) -> None:
        self._crowd = crowd
        self._note = note
        self._size = size

    def info(self, event: str, *, private: bool = False, **fields: object) -> None:
        """A line for who follows along."""
        self._tell(event, {**fields, "private": private})
        self._pass(self._crowd.info, event, fields)

    def warning(self, event: str, *, private: bool = False, **fields: object) -> None:
        """A line for who looks for what is wrong."""
        self._tell(event, {**fields, "private": private})
        self._pass(self._crowd.warning, event, fields)

    def _pass(self, to: Callable[..., None], event: str, fields: Fields) -> None:
        to(event, **fields)

    def _tell(self, event: str, fields: Fields) -> None:
        make = ENTRIES.get(event)
        if make is not None:
            told = make(fields, self._size)
            self._note(told.kind, told.about, told.text, told.services, identity=told.identity, detail=told.detail)


def listed(names: Sequence[str]) -> str:
    """``a, b, c and 4 more``."""
    more = len(names) - SHOWN
    return f"{', '.join(names[:SHOWN])}{f' and {more} more' if more > 0 else ''}"


def joined(fields: Fields, size: Size) -> Told:
    """A container is in."""
    services = _names(fields)
    text = f"gets requests for {listed(services)}{_count(services, size, 'endpoint', 'there')}"
    return Told("endpoint.in", str(fields["name"]), text, services, str(fields["id"]))


def left(fields: Fields, size: Size) -> Told:
    """A container is out."""
    services, reason = _names(fields), str(fields["reason"])
    public = "its process ended" if fields["private"] else reason
    text = f"gets no more requests for {listed(services)}: {public}{_count(services, size, 'endpoint', 'left')}"
    return Told("endpoint.out", str(fields["name"]), text, services, str(fields["id"]), reason if public != reason else "")


def _count(services: Sequence[str], size: Size, word: str, what: str) -> str:
    """What that means for its service, where it is one."""
    if len(services) != 1:
        return ""
    number = size(services[0])
    return f"; {number} {word}{'' if number == 1 else 's'} {what}" if number else f"; none is {what}"


def unserved(fields: Fields, _size: Size) -> Told:
    """A container runs, and is in nothing."""
    return Told("container.unserved", str(fields["name"]), f"is in no service: {fields['reason']}", (), str(fields["id"]))


def up(fields: Fields, _size: Size) -> Told:
    """A service, or a host of it, leads to somebody."""
    after, panic = fields.get("down_seconds"), fields.get("panic")
    text = "is ready" if after is None else f"is ready again after {after} s"
    if panic is not None:
        text = f"gets requests{'' if after is None else f' again after {after} s'}, though no endpoint is well: {panic}"
    return Told("service.up", _place(fields), text, (str(fields["name"]),))


def down(fields: Fields, _size: Size) -> Told:
    """A service, or a host of it, leads to nobody."""
    reason = str(fields["reason"])
    public = "its last container ended" if fields["private"] else reason
    detail = reason if public != reason else ""
    return Told("service.down", _place(fields), f"has no endpoint that is ready: {public}", (str(fields["name"]),), detail=detail)


def _place(fields: Fields) -> str:
    return str(fields.get("host") or fields["name"])


def _names(fields: Fields) -> list[str]:
    services = fields["services"]
    return list(map(str, services)) if isinstance(services, Sequence) else []


ENTRIES: Mapping[str, Callable[[Fields, Size], Told]] = {
    "container.joined": joined,
    "container.left": left,
    "container.unserved": unserved,
    "service.up": up,
    "service.down": down,
}

"""What the discovery process and the control process say to each other: frames of four bytes of length, big endian, and msgpack.

Down go Setup, and Begin once somebody listens. Up come Sources, then lists as differences to the list before (Part), failures,
sources that are none any more, lines of the log, and beats.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from haystack.model.records import Container, Listing

HEAD = 4
LEAST, MOST = -(1 << 63), (1 << 63) - 1
LONGEST = 64 * 1024 * 1024  # bytes of a frame: a portion of containers takes some dozens of KiB


class Message(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Base of the messages."""


class Setup(Message, frozen=True):
    """The settings that `providers` reads, by their names; a path is text."""

    values: dict[str, Any]


class Begin(Message, frozen=True):
    """Ask engines from now on: ports are bound, and lists are heard."""


class Sources(Message, frozen=True):
    """The sources that the discovery process watches, in the order of the settings, and its process id."""

    names: tuple[str, ...]
    pid: int


class Part(Message, frozen=True):
    """A portion of what differs from the list before. listing: with the last portion, all of a list but its containers.

    whole: nothing was told of this source before, so that who is not in any portion is not there. outdated: the list is what is left of
    a source that can't be read (Sink.outdated).
    """

    source: str
    changed: tuple[Container, ...] = ()
    gone: tuple[str, ...] = ()
    whole: bool = False
    outdated: bool = False
    listing: Listing | None = None


class Failed(Message, frozen=True):
    """A source can't be read now, one line why."""

    source: str
    error: str


class Withdrawn(Message, frozen=True):
    """There is no such source."""

    source: str


class Line(Message, frozen=True):
    """A line for the log: the control process writes all of them, at the level and in the form that are in effect there."""

    logger: str
    level: str
    event: str
    fields: dict[str, Any]


class Beat(Message, frozen=True):
    """The discovery process runs."""


Up = Sources | Part | Failed | Withdrawn | Line | Beat
UP: msgspec.msgpack.Decoder[Up] = msgspec.msgpack.Decoder(Up)
SETUP = msgspec.msgpack.Decoder(Setup)
_ENCODER = msgspec.msgpack.Encoder(enc_hook=str)  # paths, and whatever a line of the log quotes


def packed(message: Message) -> bytes:
    """One frame. What msgpack does not know arrives as what comes nearest: a list is not to be lost for one odd name in it."""
    try:
        body = _ENCODER.encode(message)
    except (ValueError, OverflowError):
        plain = msgspec.to_builtins(message, builtin_types=(bytes, bytearray), enc_hook=str)
        body = _ENCODER.encode(_scrubbed(plain, str if isinstance(message, Line) else _nearest))
    return len(body).to_bytes(HEAD, "big") + body


def _scrubbed(value: Any, beyond: Callable[[int], object]) -> Any:
    """The same without surrogates, which are no text; beyond: what becomes of a number of more than 64 bits."""
    match value:
        case str():
            return value.encode(errors="replace").decode()
        case int() if not LEAST <= value <= MOST:
            return beyond(value)
        case dict():
            return {_scrubbed(key, beyond): _scrubbed(each, beyond) for key, each in value.items()}
        case list() | tuple():
            return [_scrubbed(each, beyond) for each in value]
    return value


def _nearest(number: int) -> int:
    return MOST if number > 0 else LEAST

"""What a command of the shell is: its name, its words and options, what it does; and what it is given, and gives back.

Pure. One module a command in commands/; shell.py has the table of all.
"""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from haystack.dns.messages import AskerRow
from haystack.loop.turns import Turns
from haystack.views.state import State

OK, NOT_FOUND, USAGE = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Trace:
    """Start or stop the live lines. service: whole name, None for all; own: also of requests to Haystack itself."""

    on: bool
    service: str | None = None
    own: bool = False


@dataclass(frozen=True, slots=True)
class LogLevel:
    """Set the process's log level."""

    level: str


@dataclass(frozen=True, slots=True)
class Leave:
    """End the session."""


@dataclass(frozen=True, slots=True)
class Live:
    """Go on for a while: called with what the session lends, it says with which exit status it ended."""

    run: Callable[[Talk], Awaitable[int]]


Effect = Trace | LogLevel | Leave | Live


@dataclass(frozen=True, slots=True)
class Result:
    """What a command says, in pieces where it may be long. status: 0 done, 1 no such thing, 2 wrong use; effect: for the session."""

    said: str | list[str]
    status: int = OK
    effect: Effect | None = None

    @property
    def pieces(self) -> list[str]:
        """All that it says."""
        return [self.said] if isinstance(self.said, str) else self.said

    @property
    def text(self) -> str:
        """The same as one string, where it is known to be short."""
        return "".join(self.pieces)


@dataclass(frozen=True, slots=True)
class Person:
    """Who is logged in: the key's comment and fingerprint (``SHA256:…``), and the client's address."""

    comment: str = ""
    fingerprint: str = ""
    peer: str = ""

    @property
    def name(self) -> str:
        """What to call them."""
        return self.comment or self.fingerprint or self.peer


NOBODY = Person()


@dataclass(frozen=True, slots=True)
class Context:
    """Who asks. width: columns of the terminal or None; local: own address as the asker reaches it; colour: whether it may be used.

    heard: what others had to be asked for before (Command.ahead): lines for `dig`, rows for `who`; None: nobody was asked.
    """

    width: int | None = None
    local: str = "127.0.0.1"
    heard: Sequence[str] | Sequence[AskerRow] | None = None
    by: Person = NOBODY
    colour: bool = False


HERE = Context()


class Talk(Protocol):
    """What a command that goes on for a while has of its session. Each `line` and `draw` waits while the client reads slowly.

    terminal: whether a person looks at a screen; else what is printed goes to a file or a program; screen: whether that can be drawn on.
    """

    @property
    def terminal(self) -> bool:
        """As above."""

    @property
    def screen(self) -> bool:
        """As above: a dumb terminal can't."""

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows of the screen now."""

    async def line(self, text: str) -> None:
        """Print one line, or several."""

    async def complain(self, text: str) -> None:
        """The same to standard error, where there is one apart."""

    async def draw(self, text: str) -> None:
        """Send this as it is: control sequences of ours, and text that is printable."""

    async def key(self, seconds: float) -> str | None:
        """The next key (``q``, ``up``, ``enter``, ``resize`` …); None: none in so many seconds. Ctrl-C ends the command."""


class Kind(enum.Enum):
    """What completes an argument: names of what there is now."""

    SERVICES = enum.auto()
    ENDPOINTS = enum.auto()
    CONTAINERS = enum.auto()
    SUBJECTS = enum.auto()  # any of these
    DRAINED = enum.auto()
    HOSTS = enum.auto()  # whole names of services, and their hosts
    NAMES = enum.auto()  # all that DNS has of services and containers
    COMMANDS = enum.auto()


Asked = Mapping[str, Any]  # arguments by their dest, as their `takes` has read them
Action = Callable[[State, Asked, Context], Result | Turns[Result]]
Ahead = Callable[[State, Asked, Context], Awaitable[Context]]
Running = Callable[[State, Asked, Context, Talk], Awaitable[int]]


@dataclass(frozen=True, slots=True)
class Argument:
    """A word or an option of a command. Make one by word, option or switch.

    dest: its key in Asked; shown: what stands for its value in the usage, empty for a switch; flags: empty for a word; takes: reads the
    text, and raises ValueError with what is wrong; completes: what may stand there; default: where it is not given.
    """

    dest: str
    shown: str
    told: str
    flags: tuple[str, ...] = ()
    takes: Callable[[str], object] = str
    completes: tuple[str, ...] | Kind = ()
    default: object = None
    needed: bool = True
    many: bool = False

    @property
    def usage(self) -> str:
        """As it stands in the usage."""
        if self.flags:
            return f"[{self.flags[0]}{f' {self.shown}' if self.shown else ''}]"
        whole = f"{self.shown}..." if self.many else self.shown
        return whole if self.needed else f"[{whole}]"


def word(
    dest: str,
    shown: str,
    told: str,
    *,
    takes: Callable[[str], object] = str,
    completes: tuple[str, ...] | Kind = (),
    needed: bool = True,
    many: bool = False,
) -> Argument:
    """An argument by its place. many: any number of words, as a list."""
    return Argument(dest, shown, told, takes=takes, completes=completes, needed=needed, many=many, default=[] if many else None)


def option(
    dest: str,
    shown: str,
    told: str,
    *,
    takes: Callable[[str], object] = str,
    completes: tuple[str, ...] | Kind = (),
    default: object = None,
    flags: tuple[str, ...] = (),
) -> Argument:
    """``--dest VALUE``, or with other flags."""
    return Argument(dest, shown, told, flags or (f"--{dest}",), takes, completes, default)


def switch(dest: str, told: str) -> Argument:
    """``--dest``: True where it is given."""
    return Argument(dest, "", told, (f"--{dest}",), default=False)


JSON = switch("json", "print JSON, with all fields")


@dataclass(frozen=True, slots=True)
class Command:
    """One command: `action` says something at once (or in turns), `live` goes on for a while; one of the two.

    example: how one uses it; more: what else `help NAME` says; ahead: asks others for what the action needs, which is pure.
    """

    name: str
    summary: str
    arguments: tuple[Argument, ...] = ()
    action: Action | None = None
    live: Running | None = None
    ahead: Ahead | None = None
    example: str = ""
    more: str = ""

    @property
    def words(self) -> tuple[Argument, ...]:
        """Its arguments by place."""
        return tuple(each for each in self.arguments if not each.flags)

    @property
    def options(self) -> tuple[Argument, ...]:
        """Its options."""
        return tuple(each for each in self.arguments if each.flags)

    @property
    def usage(self) -> str:
        """How it is written: words first."""
        return " ".join([self.name, *(each.usage for each in (*self.words, *self.options))])

"""The shell's commands: the state and some words in, text and an exit status out.

Pure: nothing here prints, waits or changes anything; what looks at all there is does so in turns. What a command asks of its session
(trace, leave, log level) is an Effect in the Result, and the session does it. So each command is tested without a connection.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile

from haystack import __version__
from haystack.console import askers, departed, lists
from haystack.console import explain as explanation
from haystack.console.command_line import nearest, nearest_of, normal
from haystack.console.tables import table
from haystack.dns.messages import AskerRow
from haystack.loop.turns import Turns, at_once
from haystack.model import naming, spelling
from haystack.model.spelling import LEVELS
from haystack.observe.safe_text import printable
from haystack.views import metrics as figures
from haystack.views.state import State

OK, NOT_FOUND, USAGE = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Trace:
    """Start or stop the live lines. service: whole name, None for all."""

    on: bool
    service: str | None = None


@dataclass(frozen=True, slots=True)
class LogLevel:
    """Set the process's log level."""

    level: str


@dataclass(frozen=True, slots=True)
class Leave:
    """End the session."""


Effect = Trace | LogLevel | Leave


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
class Context:
    """Who asks. width: columns of the terminal or None; local: own address as the asker reaches it.

    heard: what others had to be asked for before (ahead.py): lines for `dig`, rows for `who`; None: nobody was asked.
    """

    width: int | None = None
    local: str = "127.0.0.1"
    heard: Sequence[str] | Sequence[AskerRow] | None = None


HERE = Context()
SERVICES = ("SERVICE",)  # stands for the names of all that there are
ANYTHING: tuple[str, ...] = ()  # an argument that nothing completes
TYPES = ("A", "AAAA", "CNAME", "HTTPS", "MX", "CAA", "PTR", "SRV", "TXT", "NS", "SOA", "ANY")
Action = Callable[[State, list[str], Context], Result | Turns[Result]]


@dataclass(frozen=True, slots=True)
class Command:
    """One command. completes: what may stand for each argument in turn (SERVICES: their names); least: how many arguments at least."""

    action: Action
    usage: str
    summary: str
    completes: tuple[tuple[str, ...], ...] = ()
    least: int = 0

    @property
    def most(self) -> int:
        """How many arguments at most."""
        return len(self.completes)


def run(state: State, words: Sequence[str], context: Context = HERE) -> Result:
    """Do what the words say, at once."""
    return at_once(work(state, words, context))


def work(state: State, words: Sequence[str], context: Context = HERE) -> Turns[Result]:
    """Do what the words say, in turns. For the newest counters in `metrics`, await State.refresh() first."""
    plain = normal(words)
    if not plain:
        return Result("")
    name, arguments = plain[0], plain[1:]
    command = COMMANDS.get(name)
    if command is None:
        return Result(f"no command {printable(name)!r}{nearest(name, COMMANDS) or '; help lists them'}", USAGE)
    if any(each.startswith("--") for each in arguments) and ("--json",) not in command.completes:
        return misuse(name, f"{name} takes no options")
    if not command.least <= len(arguments) <= command.most:
        return misuse(name)
    done = command.action(state, arguments, context)
    return done if isinstance(done, Result) else (yield from done)


def misuse(name: str, why: str = "") -> Result:
    """How the command is to be used."""
    return Result(f"{why + '; ' if why else ''}usage: {COMMANDS[name].usage}", USAGE)


def show_help(_state: State, _words: list[str], context: Context) -> Result:
    """All commands."""
    return Result(table(("command", "what it does"), [(c.usage, c.summary) for c in COMMANDS.values()], context.width))


def listed(name: str, listing: lists.Listing) -> Action:
    """The command that shows a whole list, or its JSON with --json."""

    def action(state: State, words: list[str], context: Context) -> Turns[Result]:
        if words and words != ["--json"]:
            return misuse(name)
        return Result((yield from listing.json(state) if words else listing.text(state, context.width)))

    return action


def service(state: State, words: list[str], context: Context) -> Turns[Result]:
    """One service with its endpoints."""
    name = lists.whole(words[0], state)
    found = state.snapshot.services.get(name)
    if found is None:
        short = naming.short_name(words[0].lower().removesuffix("."), state.snapshot.origin)
        nobody = f"no service {printable(name)}{yield from nearest_of(short, lists.short_names(state))}"
        return Result("\n".join([nobody, *departed.lines(state, [name])]), NOT_FOUND)
    return Result((yield from lists.service_text(state.snapshot, found, context.width, departed.lines(state, [name]))))


def explain(state: State, words: list[str], context: Context) -> Turns[Result]:
    """Which service answers a URL, and with which endpoints."""
    try:
        asked = explanation.read(words[0])
    except ValueError as error:
        return misuse("explain", f"{printable(words[0])!r} is no URL: {printable(str(error))}")
    text, found = yield from explanation.text(state, asked, context.width)
    return Result(text, OK if found else NOT_FOUND)


def dig(state: State, words: list[str], context: Context) -> Result:
    """The answer as a client at the asker's side of the network gets it: that of nameservers, or the zone's alone where none was asked.

    Its status comes first.
    """
    name, kind = asked(words)
    answers = state.responder.lookup(name, kind, context.local) if context.heard is None else [*map(str, context.heard)]
    records = [*takewhile(is_record, answers[1:])]  # of the answer: what follows is of other sections
    lines = answers or [f"no {kind} record for {name}"]
    return Result("\n".join(printable(line) for line in lines), OK if records else NOT_FOUND)


def is_record(line: str) -> bool:
    """Whether a line of an answer is a record."""
    return not line.startswith(";;")


def asked(words: Sequence[str]) -> tuple[str, str]:
    """Name and type of what `dig` asks."""
    return words[0], (words[1] if len(words) > 1 else "A").upper()


def who(state: State, words: list[str], context: Context) -> Turns[Result]:
    """Who asked for a name last, or what a container or an address asked for."""
    if words[1:] not in ([], ["--json"]):
        return misuse("who")
    rows = [row for row in context.heard or () if isinstance(row, AskerRow)]
    subject = yield from askers.subject(state, words[0])
    told = yield from askers.told(state, rows)
    if words[1:]:
        return Result((yield from askers.json(told)))
    if not told:
        return Result(subject.nobody, NOT_FOUND)
    return Result((yield from askers.text(subject, told, context.width)))


def trace(state: State, words: list[str], _context: Context) -> Result:
    """Live lines on or off. A service that is not there yet may be waited for."""
    switch, wanted = spelling.truth(words[0]), words[1] if len(words) > 1 else None
    if switch is None:
        return misuse("trace", f"trace is on or off, not {printable(words[0].lower())}")
    if not switch:
        return Result("trace off", effect=Trace(on=False))
    if wanted is None:
        return Result("trace on", effect=Trace(on=True))
    name = lists.whole(wanted, state)
    missing = "" if name in state.snapshot.services else ", which does not exist yet"
    return Result(f"trace on for {printable(name)}{missing}", effect=Trace(on=True, service=name))


def log(_state: State, words: list[str], _context: Context) -> Result:
    """Another log level, until the next start."""
    level = spelling.level(words[0])
    if level not in LEVELS:
        return misuse("log", f"no level {printable(level)}{nearest(level, LEVELS)}")
    return Result(f"log level {level}", effect=LogLevel(level))


def metrics(state: State, _words: list[str], _context: Context) -> Turns[Result]:
    """What /metrics shows."""
    found, text = (yield from figures.Exposition(state, again=False).pieces()), []
    for piece in found:
        text.append(piece.decode())
        yield
    return Result([*text[:-1], text[-1].rstrip("\n")])


def version(_state: State, _words: list[str], _context: Context) -> Result:
    """The version."""
    return Result(f"Haystack {__version__}")


def leave(_state: State, _words: list[str], _context: Context) -> Result:
    """End the session."""
    return Result("", effect=Leave())


def completions(before: list[str], services: list[str]) -> list[str]:
    """What may follow these words."""
    name, *arguments = normal(before) or [""]
    completes = COMMANDS[name].completes if name in COMMANDS else ()
    words = completes[len(arguments)] if len(arguments) < len(completes) else ()
    return services if words == SERVICES else list(words)


LISTS: dict[str, tuple[lists.Listing, str]] = {
    "services": (lists.SERVICES, "all services, and how many of their endpoints are ready"),
    "containers": (lists.CONTAINERS, "all containers, their addresses and services"),
    "networks": (lists.NETWORKS, "all networks"),
    "engines": (lists.ENGINES, "all sources of containers, and whether they answer"),
    "endpoints": (lists.ENDPOINTS, "all endpoints of all services"),
}

COMMANDS: dict[str, Command] = {
    "help": Command(show_help, "help", "this list"),
    "service": Command(service, "service NAME", "one service: its endpoints, and why each one is in or out", (SERVICES,), 1),
    **{name: Command(listed(name, listing), f"{name} [--json]", summary, (("--json",),)) for name, (listing, summary) in LISTS.items()},
    "explain": Command(
        explain, "explain URL", "which service answers a URL, and which of its endpoints are in or out, and why", (ANYTHING,), 1
    ),
    "dig": Command(
        dig, "dig NAME [TYPE]", "query Haystack's DNS, also for other names, and where the answer comes from", (ANYTHING, TYPES), 1
    ),
    "who": Command(
        who,
        "who NAME|CONTAINER|ADDRESS [--json]",
        "which clients asked DNS for a name last, or which names a container or an address asked for",
        (ANYTHING, ("--json",)),
        1,
    ),
    "trace": Command(
        trace, "trace on|off [SERVICE]", "show a line for each request as it happens; also trace(true)", (("on", "off"), SERVICES), 1
    ),
    "log": Command(log, f"log {'|'.join(LEVELS)}", "set the log level, until the next start", (LEVELS,), 1),
    "metrics": Command(metrics, "metrics", "show the Prometheus metrics"),
    "version": Command(version, "version", "show the version"),
    "exit": Command(leave, "exit", "end the session; also exit(), quit and Ctrl-D"),
    "quit": Command(leave, "quit", "end the session"),
}

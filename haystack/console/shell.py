"""The shell: a line's words in, what it says and an exit status out.

Pure, but for what others are asked before (Command.ahead): nothing here prints or changes anything. What a command asks of its session
(trace, leave, log level, going on for a while) is an Effect in the Result, and the session does it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from haystack.console import words
from haystack.console.command import HERE, USAGE, Asked, Command, Context, Kind, Live, Result, Talk
from haystack.console.command_line import normal
from haystack.console.commands import (
    ca,
    certs,
    cohorts,
    dig,
    drain,
    events,
    explain,
    limits,
    lists,
    log,
    metrics,
    probe,
    replay,
    service,
    session,
    settings,
    tail,
    top,
    trace,
    undrain,
    usage,
    wait,
    weight,
    who,
)
from haystack.console.lists import short_names
from haystack.console.suggestions import suggested
from haystack.console.wrapping import prose
from haystack.loop.turns import Turns, at_once, in_turns
from haystack.model import naming
from haystack.observe.safe_text import printable
from haystack.views.state import State

LONGEST = 60  # characters of a word that is said back

_ALL = (
    usage.command(lambda: COMMANDS),
    service.COMMAND,
    *lists.COMMANDS,
    explain.COMMAND,
    dig.COMMAND,
    who.COMMAND,
    probe.COMMAND,
    top.COMMAND,
    tail.COMMAND,
    events.COMMAND,
    replay.COMMAND,
    cohorts.COMMAND,
    drain.COMMAND,
    undrain.COMMAND,
    weight.COMMAND,
    wait.COMMAND,
    certs.COMMAND,
    ca.COMMAND,
    trace.COMMAND,
    log.COMMAND,
    settings.COMMAND,
    limits.COMMAND,
    metrics.COMMAND,
    session.VERSION,
    session.EXIT,
    session.QUIT,
)
COMMANDS: dict[str, Command] = {command.name: command for command in _ALL}
HELP = ("--help", "-h", "-?")


@dataclass(frozen=True, slots=True)
class Call:
    """A command, and what is asked of it."""

    command: Command
    asked: Asked


def read(line: Sequence[str]) -> Call | Result:
    """Which command the words call; a Result where they call none."""
    plain = normal(line)
    if not plain:
        return Result("")
    name, arguments = plain[0], plain[1:]
    command = COMMANDS.get(name)
    if command is None:
        return Result(f"no command {printable(name[:LONGEST])!r}{suggested(name, COMMANDS)}", USAGE)
    if any(each in HELP for each in arguments):
        command, arguments = COMMANDS["help"], [name]
    try:
        return Call(command, words.read(command, arguments))
    except words.UsageError as error:
        return Result(f"{error}; usage: {command.usage}", USAGE)


async def answer(state: State, line: Sequence[str], context: Context = HERE) -> Result:
    """Do what the words say: ask others where it needs that, some seconds at most; the rest in turns."""
    call = read(line)
    if isinstance(call, Result):
        return fitting(call, context)
    if call.command.ahead is not None:
        context = await call.command.ahead(state, call.asked, context)
    return await in_turns(done(state, call, context))


def run(state: State, line: Sequence[str], context: Context = HERE) -> Result:
    """The same at once, with nobody asked."""
    return at_once(work(state, line, context))


def work(state: State, line: Sequence[str], context: Context = HERE) -> Turns[Result]:
    """The same in turns."""
    call = read(line)
    return fitting(call, context) if isinstance(call, Result) else (yield from done(state, call, context))


def fitting(result: Result, context: Context) -> Result:
    """What says how a command is used, in lines of the terminal's width that end between words; anything else as it is."""
    return replace(result, said="\n".join(prose([result.text], context.width))) if result.status == USAGE else result


def done(state: State, call: Call, context: Context) -> Turns[Result]:
    """What a call says, or what goes on for a while."""
    action, live = call.command.action, call.command.live
    if action is not None:
        result = action(state, call.asked, context)
        return fitting(result if isinstance(result, Result) else (yield from result), context)
    if live is None:
        raise TypeError(f"{call.command.name} does nothing")

    async def goes_on(talk: Talk) -> int:
        return await live(state, call.asked, context, talk)

    return Result("", effect=Live(goes_on))


def completions(state: State, before: list[str]) -> list[str]:
    """What may follow these words."""
    name, *arguments = normal(before) or [""]
    if not name:
        return list(COMMANDS)
    return words.completions(COMMANDS[name], arguments, lambda kind: names(state, kind)) if name in COMMANDS else []


def names(state: State, kind: Kind) -> list[str]:
    """Of what there is of a kind."""
    return list(_NAMES[kind](state))


def _hosts(state: State) -> list[str]:
    services = state.snapshot.services
    return sorted({*services, *(host for each in services.values() for host in each.hosts if not host.startswith("*"))})


def _containers(state: State) -> list[str]:
    return sorted(c.name for c in state.snapshot.containers.values())


def _in_dns(state: State) -> list[str]:
    return [*_hosts(state), *sorted(naming.container(state.snapshot.origin, c) for c in state.snapshot.containers.values())]


def _endpoints(state: State) -> list[str]:
    return sorted({e.id for service in state.snapshot.services.values() for e in service.endpoints})


_NAMES: dict[Kind, Callable[[State], Iterable[str]]] = {
    Kind.COMMANDS: lambda _state: COMMANDS,
    Kind.SERVICES: short_names,
    Kind.ENDPOINTS: _endpoints,
    Kind.CONTAINERS: _containers,
    Kind.DRAINED: lambda state: sorted({each.name for each in state.operator.overrides.drains.values()}),
    Kind.HOSTS: _hosts,
    Kind.NAMES: _in_dns,
    Kind.SUBJECTS: lambda state: [*short_names(state), *_containers(state), *_endpoints(state)],
}

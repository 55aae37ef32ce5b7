"""What a person sees first: the state in five lines. Pure, in turns."""

from __future__ import annotations

import time

from haystack import __version__
from haystack.console.tables import age
from haystack.loop.turns import Turns
from haystack.model.readiness import of_service
from haystack.model.records import Problem
from haystack.observe.safe_text import printable
from haystack.views.state import State

SERVER_ERROR = 500  # the first status of these (RFC 9110, section 15.6)
END = "help lists the commands, Tab completes them, Ctrl-D ends the session"


def lines(state: State) -> Turns[list[str]]:
    """Version and age; what there is; traffic so far; what is wrong; how to go on."""
    snapshot, ready, panicked, out, dead = state.snapshot, 0, 0, 0, 0
    for service in snapshot.services.values():
        found = of_service(service)
        ready, panicked, out, dead = ready + found.ready, panicked + found.panicked, out + found.out, dead + (not found.ready)
        yield
    services = counted(len(snapshot.services), "service") + (f", {dead} without a ready endpoint" if dead else "")
    counts = f"{counted(ready, 'endpoint')} ready, {f'{panicked} in by panic, ' * bool(panicked)}{out} out"
    containers = f"{counted(len(snapshot.containers), 'container')} on {counted(len(state.registry.sources), 'engine')}"
    return [
        f"Haystack {__version__}, origin {snapshot.origin}, up {age(time.time() - state.started)}",
        f"{services}; {counts}{_held(state)}; {containers}",
        (yield from _traffic(state)),
        _wrong(state),
        END,
    ]


def _held(state: State) -> str:
    """What operators have left: who made it may have forgotten it."""
    held = state.snapshot.overrides
    return f", {counted(len(held), 'drain or weight' if len(held) == 1 else 'drains and weight')} of operators" if len(held) else ""


def _traffic(state: State) -> Turns[str]:
    requests = 0
    for counts in list(state.proxy.requests.values()):
        requests += sum(counts.values())
        yield
    failed = sum(count for (_, status), count in state.proxy.errors.items() if status == 0 or status >= SERVER_ERROR)
    return f"{counted(requests, 'request')} answered by endpoints, {failed} ended without an answer or with an error of Haystack's own"


def _wrong(state: State) -> str:
    """The gravest thing that is wrong, and how much else."""
    away = state.lost_peers()
    found = [*state.wrong(), *away, *(_told(state, where, problem) for where, problem in state.snapshot.problems[:1])]
    count = len(state.wrong()) + len(away) + len(state.snapshot.problems)
    if not found:
        return "no problems"
    more = f" (and {count - 1} more: services, containers, engines and peers name them)" if count > 1 else ""
    return printable(f"problem: {found[0]}{more}")


def _told(state: State, where: str, problem: Problem) -> str:
    """A problem, and whose it is: a container's, a service's, or nobody's."""
    container = state.snapshot.containers.get(where)
    whose = where if container is None else container.name
    return f"{whose}: {problem.subject}: {problem.message}" if whose else f"{problem.subject}: {problem.message}"


def counted(number: int, word: str) -> str:
    """``1 service``, ``2 services``."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"

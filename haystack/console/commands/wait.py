"""`wait SERVICE[>=N]`: for deploy scripts; returns when so many endpoints are ready. Endpoints in by panic do not count."""

from __future__ import annotations

import time
from collections.abc import Iterator

from haystack.console import lists, overridden
from haystack.console.command import JSON, NOT_FOUND, OK, Asked, Command, Context, Kind, Talk, option, word
from haystack.console.command_line import nearest_of
from haystack.console.listing import as_json
from haystack.loop.turns import in_turns
from haystack.model import readiness
from haystack.model.readiness import Readiness
from haystack.model.services import Service
from haystack.observe.safe_text import printable
from haystack.operator import waits
from haystack.views.state import State

SECONDS = 60.0
SHOWN = 10  # endpoints whose state is told


async def wait(state: State, asked: Asked, _context: Context, talk: Talk) -> int:
    """Wait for it, also for a service that is not there yet."""
    name = lists.whole(asked["wanted"].name, state)
    least = asked["wanted"].least
    met = await waits.ready(state.operator, lambda: state.snapshot, name, least, asked["timeout"])
    found = waits.readiness(state.snapshot, name)
    if asked["json"]:
        counts = {"ready": found.ready, "panicked": found.panicked, "endpoints": found.all}
        await talk.line(as_json({"service": name, "wanted": least, "met": met, **counts}))
    elif met:
        await talk.line(printable(f"{name}: {found.ready} of {found.all} endpoints are ready"))
    else:
        await talk.complain(await _late(state, name, found, least))
    return OK if met else NOT_FOUND


async def _late(state: State, name: str, found: Readiness, least: int) -> str:
    service = state.snapshot.services.get(name)
    if service is not None:
        told = f"{name}: {found.ready} of {found.all} endpoints are ready, not {least}: the time is up"
        return "\n".join(map(printable, [told, *_lacking(service)]))
    short = name.partition(".services.")[0]
    return printable(f"no service {name}: the time is up") + await in_turns(nearest_of(short, lists.short_names(state)))


def _lacking(service: Service) -> Iterator[str]:
    """Why those that are not ready are not."""
    lacking, now = [e for e in readiness.serving(service) if not e.well], time.time()
    for endpoint in lacking[:SHOWN]:
        yield f"{endpoint.container_name}:{endpoint.port} {lists.state_of(endpoint, now)}"
    if len(lacking) > SHOWN:
        yield f"and {len(lacking) - SHOWN} more"


COMMAND = Command(
    "wait",
    "wait until so many endpoints of a service are ready: exit status 0, or 1 when the time is up",
    (
        word("wanted", "SERVICE[>=N]", "a service, and how many; else one endpoint", takes=waits.wanted, completes=Kind.SERVICES),
        option("timeout", "T", f"how long, such as 90s; else {SECONDS:.0f} s", takes=overridden.positive, default=SECONDS),
        JSON,
    ),
    live=wait,
    example="wait web>=3 --timeout 2m",
)

"""`top [SERVICE]`: traffic of services and endpoints, live on a screen, or once without one."""

from __future__ import annotations

import asyncio

from haystack.console import busiest, listing, lists
from haystack.console.busiest import SORTS, Row
from haystack.console.command import JSON, NOT_FOUND, OK, Asked, Command, Context, Kind, Talk, option, word
from haystack.console.long_text import Lines
from haystack.console.tables import Column, Title, tabled
from haystack.console.top_screen import ENTER, HELP, LEAVE, Screen
from haystack.console.trace_line import duration
from haystack.loop.turns import Turns, in_turns
from haystack.model import naming, spelling
from haystack.model.services import Endpoint
from haystack.observe.safe_text import printable
from haystack.views.state import State

SECOND = 1.0
COMMON: tuple[Title, ...] = ("req/s", "err/s", Column("p50", spare=2), "p99", "in flight")


async def top(state: State, asked: Asked, context: Context, talk: Talk) -> int:
    """Until q or Ctrl-C."""
    service = lists.whole(asked["service"], state) if asked["service"] else None
    if asked["json"] or not talk.screen:
        return await once(state, asked, service, context, talk)
    screen = Screen(state, asked["sort"], service, colour=context.colour)
    try:
        await talk.draw(ENTER)
        await follow(screen, talk)
    except asyncio.CancelledError:
        pass  # by Ctrl-C: it is another way to end this
    finally:
        await talk.draw(LEAVE)
    return OK


async def follow(screen: Screen, talk: Talk) -> None:
    """Draw each second, and at each key and each new size of the screen."""
    clock = asyncio.get_running_loop().time
    due, shown = 0.0, None
    while True:
        if clock() >= due or (screen.service, screen.sort) != shown:
            due, shown = clock() + SECOND, (screen.service, screen.sort)
            await in_turns(screen.look())
        await talk.draw(await in_turns(screen.frame(*talk.size)))
        key = await talk.key(max(0.0, due - clock()))
        if key is not None and not screen.press(key, talk.size[1]):
            return


async def once(state: State, asked: Asked, service: str | None, context: Context, talk: Talk) -> int:
    """One table, or JSON."""
    found = await in_turns(busiest.rows(state, service, asked["sort"]))
    if found is None:
        await talk.complain(f"no service {printable(service)}")
        return NOT_FOUND
    pieces = await in_turns(listing.json_array(busiest.shapes(found)) if asked["json"] else table(state, found, service, context.width))
    for piece in pieces:
        await talk.draw(piece.replace("\n", "\r\n") if talk.terminal else piece)
        await asyncio.sleep(0)
    await talk.line("")  # its end
    return OK


def table(state: State, found: list[Row], service: str | None, width: int | None) -> Turns[list[str]]:
    """All rows, for a person."""
    out = Lines()
    titles: tuple[Title, ...] = (Column("service", fold=True), *COMMON, "queue", "ready")
    if service is not None:
        titles = (Column("container", fold=True), Column("endpoint", spare=1), *COMMON, Column("state", fold=True))
    yield from tabled(out, titles, (cells(row, state.snapshot.origin) for row in found), width)
    return out.pieces()


def cells(row: Row, origin: str) -> tuple[object, ...]:
    """What a row of the table holds."""
    rate = row.rate
    times = (duration(seconds * 1000) if seconds else "-" for seconds in (rate.p50, rate.p99))
    common = (f"{rate.requests:.1f}", f"{rate.errors:.1f}", *times, row.in_flight)
    if isinstance(row.subject, Endpoint):
        of = row.subject
        return of.container_name, of.id, *common, busiest.state(of)
    return naming.short_name(row.name, origin), *common, row.waiting, str(busiest.readiness(row))


def sort(text: str) -> str:
    """An order. Raises ValueError."""
    if text not in SORTS:
        near = spelling.nearest(text, SORTS)
        raise ValueError(f"not one of {', '.join(SORTS)}" + (f"; did you mean {near}?" if near else ""))
    return text


COMMAND = Command(
    "top",
    "watch requests per second, errors, latency, requests in flight and the queue of each service, or of one's endpoints",
    (
        word("service", "SERVICE", "its endpoints", completes=Kind.SERVICES, needed=False),
        option("sort", "ORDER", f"the largest first: {', '.join(SORTS)}", takes=sort, completes=tuple(SORTS), default="rate"),
        JSON,
    ),
    live=top,
    example="top --sort p99",
    more=f"Figures are of the last five seconds. Keys: {HELP}. Without a terminal, it prints one table.",
)

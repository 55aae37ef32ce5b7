"""`tail [SERVICE]`: exchanges as they end."""

from __future__ import annotations

import asyncio

from haystack.console import exchanges, lists, trace_line
from haystack.console.command import JSON, OK, Asked, Command, Context, Kind, Talk, option, switch, word
from haystack.console.exchanges import Names, Wanted
from haystack.loop.turns import in_turns
from haystack.model import spelling
from haystack.model.reports import Trace
from haystack.observe.safe_text import printable
from haystack.observe.trace import READABLE, Subscription
from haystack.views.state import State

WAIT = 3600.0  # seconds for a key


async def tail(state: State, asked: Asked, context: Context, talk: Talk) -> int:
    """Until Ctrl-C or q."""
    service = lists.whole(asked["service"], state) if asked["service"] else None
    wanted = Wanted(asked["status"], asked["path"] or "", asked["slow"] * 1000, asked["own"])
    absent = await in_turns(lists.absence(service, state)) if service else ""
    missing = printable(f" for {service}{absent}") if absent else ""
    if talk.terminal and not asked["json"]:
        await talk.line(f"waiting{missing}; times are UTC; Ctrl-C or q ends it")
    elif missing:
        await talk.complain(f"waiting{missing}")
    async with state.traces.subscribe(service, wants=wanted.fits, most=READABLE if talk.terminal else 0) as traces:
        shown = asyncio.ensure_future(show(traces, Names(state), talk, context, json=asked["json"]))
        ended = asyncio.ensure_future(until(talk))
        try:
            await asyncio.wait({shown, ended}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            return OK  # by Ctrl-C: it is how one ends this
        finally:
            ended.cancel()
            if not shown.cancel():
                shown.result()
    return OK


async def show(traces: Subscription, names: Names, talk: Talk, context: Context, *, json: bool) -> None:
    """Each of them, and how many were lost; several in one go where they come faster than they are shown."""

    def line(trace: Trace) -> str:
        if json:
            return exchanges.as_json(trace)
        width = talk.size[0] if talk.terminal else None
        return trace_line.brief(trace, names.name(trace), width, origin=names.origin, colour=context.colour)

    lost = 0
    while True:
        some = await traces.some()
        if traces.dropped > lost:
            await talk.complain(f"({traces.dropped - lost} lines lost: too many at once)")
            lost = traces.dropped
        await talk.line("\n".join(map(line, some)))


async def until(talk: Talk) -> None:
    """Until q is pressed."""
    while await talk.key(WAIT) != "q":
        pass


COMMAND = Command(
    "tail",
    "show requests as they end, until Ctrl-C or q: time, status, duration, URL, container, size, error",
    (
        word("service", "SERVICE", "of one service alone", completes=Kind.SERVICES, needed=False),
        option("status", "STATUS", "404, 5xx, none (no answer), or several: 404,5xx", takes=exchanges.statuses, default=()),
        option("path", "/PATH", "paths that begin so; * stands for anything", takes=exchanges.path),
        option("slow", "TIME", "that took so long at least, such as 100ms", takes=spelling.seconds, default=0.0),
        switch("own", "also requests to Haystack itself: its page, API, metrics and health"),
        JSON,
    ),
    live=tail,
    example="tail web.nginx --status 5xx --slow 100ms",
    more="Lines have a colour by the class of the status on a terminal, and none where TERM is dumb.",
)

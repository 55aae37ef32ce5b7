"""`trace on|off [SERVICE]`."""

from __future__ import annotations

from haystack.console import lists
from haystack.console.command import Asked, Command, Context, Kind, Result, Trace, switch, word
from haystack.loop.turns import Turns
from haystack.model import spelling
from haystack.observe.safe_text import printable
from haystack.views.state import State


def trace(state: State, asked: Asked, _context: Context) -> Turns[Result]:
    """Live lines on or off. A service that is not there yet may be waited for."""
    if not asked["switch"]:
        return Result("trace off", effect=Trace(on=False))
    if asked["service"] is None:
        return Result("trace on", effect=Trace(on=True, own=asked["own"]))
    name = lists.whole(asked["service"], state)
    missing = yield from lists.absence(name, state)
    return Result(printable(f"trace on for {name}{missing}"), effect=Trace(on=True, service=name))


def on_or_off(text: str) -> bool:
    """A switch."""
    if (found := spelling.truth(text)) is None:
        raise ValueError("neither on nor off")
    return found


COMMAND = Command(
    "trace",
    "show a line for each request as it happens; also trace(true)",
    (
        word("switch", "on|off", "whether lines are shown", takes=on_or_off, completes=("on", "off")),
        word("service", "SERVICE", "of one service alone", completes=Kind.SERVICES, needed=False),
        switch("own", "also requests to Haystack itself: its page, API, metrics and health"),
    ),
    trace,
    example="trace on web.nginx",
)

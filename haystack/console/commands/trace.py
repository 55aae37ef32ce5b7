"""`trace on|off [SERVICE]`."""

from __future__ import annotations

from haystack.console import lists
from haystack.console.command import Asked, Command, Context, Kind, Result, Trace, word
from haystack.model import spelling
from haystack.observe.safe_text import printable
from haystack.views.state import State


def trace(state: State, asked: Asked, _context: Context) -> Result:
    """Live lines on or off. A service that is not there yet may be waited for."""
    if not asked["switch"]:
        return Result("trace off", effect=Trace(on=False))
    if asked["service"] is None:
        return Result("trace on", effect=Trace(on=True))
    name = lists.whole(asked["service"], state)
    missing = "" if name in state.snapshot.services else ", which does not exist yet"
    return Result(f"trace on for {printable(name)}{missing}", effect=Trace(on=True, service=name))


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
    ),
    trace,
    example="trace on web.nginx",
)

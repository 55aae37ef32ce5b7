"""`service NAME`."""

from __future__ import annotations

from haystack.console import departed, lists
from haystack.console.command import JSON, NOT_FOUND, Asked, Command, Context, Kind, Result, word
from haystack.console.command_line import nearest_of
from haystack.loop.turns import Turns
from haystack.model import naming
from haystack.observe.safe_text import printable
from haystack.views.state import State


def service(state: State, asked: Asked, context: Context) -> Turns[Result]:
    """One service with its endpoints."""
    name = lists.whole(asked["name"], state)
    found = state.snapshot.services.get(name)
    if found is None:
        short = naming.short_name(asked["name"].lower().removesuffix("."), state.snapshot.origin)
        nobody = f"no service {printable(name)}{yield from nearest_of(short, lists.short_names(state))}"
        return Result("\n".join([nobody, *departed.lines(state, [name])]), NOT_FOUND)
    if asked["json"]:
        return Result((yield from lists.service_json(state, found)))
    return Result((yield from lists.service_text(state, found, context.width, departed.lines(state, [name]))))


COMMAND = Command(
    "service",
    "one service: its options, its endpoints, and why each one is in or out",
    (word("name", "NAME", "the whole name of a service, or the short one before .services.ORIGIN", completes=Kind.SERVICES), JSON),
    service,
    example="service web.nginx",
)

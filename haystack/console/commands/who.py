"""`who NAME`: who asked DNS for a name, or called that service."""

from __future__ import annotations

from dataclasses import replace

from haystack.console import askers
from haystack.console.command import JSON, NOT_FOUND, Asked, Command, Context, Kind, Result, word
from haystack.dns.messages import AskerRow
from haystack.loop.turns import Turns, in_turns
from haystack.views.state import State


def who(state: State, asked: Asked, context: Context) -> Turns[Result]:
    """Who asked for a name last or called it, or what a container or an address asked for."""
    rows = [row for row in context.heard or () if isinstance(row, AskerRow)]
    subject = yield from askers.subject(state, asked["name"])
    told = yield from askers.told(state, rows)
    if asked["json"]:
        return Result((yield from askers.json(told)))
    if not told:
        return Result(subject.nobody, NOT_FOUND)
    return Result((yield from askers.text(subject, told, context.width)))


async def ahead(state: State, asked: Asked, context: Context) -> Context:
    """What the workers remember."""
    subject = await in_turns(askers.subject(state, asked["name"]))
    return replace(context, heard=await state.proxy.askers(subject.name, subject.clients))


COMMAND = Command(
    "who",
    "which clients asked DNS for a name last, or called that service; or what a container or an address asked for and called",
    (word("name", "NAME|CONTAINER|ADDRESS", "whom it is about; with a dot at its end it is a name", completes=Kind.SUBJECTS), JSON),
    who,
    ahead=ahead,
    example="who db.services.haystack",
)

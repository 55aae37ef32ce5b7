"""`undrain ENDPOINT|CONTAINER|SERVICE`: gives it back to its health."""

from __future__ import annotations

from haystack.console import overridden
from haystack.console.command import JSON, NOT_FOUND, OK, Asked, Command, Context, Kind, Talk, word
from haystack.console.listing import as_json
from haystack.model.overrides import Target, told
from haystack.observe.safe_text import printable
from haystack.operator import targets
from haystack.views import shapes
from haystack.views.state import State


async def undrain(state: State, asked: Asked, context: Context, talk: Talk) -> int:
    """Undo a drain, also of what has gone."""
    target = await overridden.found(state, asked["what"], talk, state.operator.overrides.drains)
    if target is None:
        return NOT_FOUND
    undone, status = await overridden.changed(state.operator.undrain(target, overridden.who(context)), talk)
    if undone is None and not status:
        await talk.complain(f"{overridden.called(target)} is not drained itself")
        status = NOT_FOUND
    for line in _still(state, target):
        await talk.complain(line)
    if undone is not None:
        said = as_json(shapes.override_shape(undone)) if asked["json"] else f"{overridden.called(target)} is drained no more"
        await talk.line(said)
    return status or OK


def _still(state: State, target: Target) -> list[str]:
    """What keeps it out, or a part of it."""
    found = targets.still(state.operator.overrides, state.snapshot, target)
    return [printable(f"still drained: {each.scope} {each.name} {told(each)}; undrain {each.target}") for each in found]


COMMAND = Command(
    "undrain",
    "undo a drain: from now on its health decides again",
    (word("what", overridden.WHAT.shown, overridden.SUBJECT, completes=Kind.DRAINED), JSON),
    live=undrain,
    example="undrain web-001",
)

"""`weight ENDPOINT N`: another weight than its label's."""

from __future__ import annotations

import time

from haystack.console import overridden
from haystack.console.command import JSON, NOT_FOUND, Asked, Command, Context, Kind, Talk, word
from haystack.console.listing import as_json
from haystack.model.overrides import Target
from haystack.operator import targets
from haystack.operator.overrides import HEAVIEST
from haystack.views import shapes
from haystack.views.state import State

LABEL = "label"


def number(text: str) -> int | None:
    """A weight; None: the label's. Raises ValueError."""
    if text.lower() == LABEL:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > len(str(HEAVIEST)) or int(text) > HEAVIEST:
        raise ValueError(f"not a number from 0 to {HEAVIEST}, nor {LABEL}")
    return int(text)


async def weight(state: State, asked: Asked, context: Context, talk: Talk) -> int:
    """Set it, or give the label's back."""
    target = await _endpoint(state, asked["endpoint"], talk, undo=asked["weight"] is None)
    if target is None:
        return NOT_FOUND
    who, operator = overridden.who(context), state.operator
    if asked["weight"] is None:
        made, status = await overridden.changed(operator.reset_weight(target, who), talk)
        said = f"{overridden.called(target)} has its label's weight"
    else:
        change = operator.set_weight(target, asked["weight"], who, why=asked["why"] or "", seconds=asked["for"] or 0.0, keep=asked["keep"])
        made, status = await overridden.changed(change, talk)
        end = overridden.remaining(made, time.time()) if made is not None else ""
        said = f"{overridden.called(target)} has weight {asked['weight']}{end}"
    if made is not None or not status:
        await talk.line(as_json(shapes.override_shape(made) if made is not None else None) if asked["json"] else said)
    return status


async def _endpoint(state: State, text: str, talk: Talk, *, undo: bool) -> Target | None:
    """undo: it may have gone."""
    target = await overridden.found(state, text, talk, state.operator.overrides.weights if undo else None)
    try:
        return targets.only_endpoint(state.snapshot, target) if target is not None else None
    except targets.UnknownError as error:
        await overridden.unknown(error, talk)
        return None


COMMAND = Command(
    "weight",
    "give an endpoint another weight than its label's; 0: only if there is no other endpoint",
    (
        word(
            "endpoint",
            "ENDPOINT",
            "its id, its container with the port (web-001:80), or a container with one port",
            completes=Kind.ENDPOINTS,
        ),
        word("weight", "N", f"0 to {HEAVIEST} (usual: 100), or {LABEL}: that of the label haystack.weight again", takes=number),
        overridden.FOR,
        overridden.WHY,
        overridden.KEEP,
        JSON,
    ),
    live=weight,
    example="weight web-001:80 10 --for 1h --why canary",
)

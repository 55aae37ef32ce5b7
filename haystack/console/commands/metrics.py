"""`metrics`: what /metrics shows."""

from __future__ import annotations

from haystack.console.command import Asked, Command, Context, Result
from haystack.loop.turns import Turns
from haystack.views import metrics as figures
from haystack.views.state import State


def metrics(state: State, _asked: Asked, _context: Context) -> Turns[Result]:
    """The whole exposition."""
    found, text = (yield from figures.Exposition(state, again=False).pieces()), []
    for piece in found:
        text.append(piece.decode())
        yield
    return Result([*text[:-1], text[-1].rstrip("\n")])


async def ahead(state: State, _asked: Asked, context: Context) -> Context:
    """The workers' newest counts."""
    await state.refresh()
    return context


COMMAND = Command("metrics", "show the Prometheus metrics", action=metrics, ahead=ahead, example="metrics")

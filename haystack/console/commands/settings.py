"""`config`: the settings in effect, and where each came from."""

from __future__ import annotations

from haystack.console.command import JSON, Asked, Command, Context, Result, switch
from haystack.console.listing import as_json
from haystack.console.tables import Column, table
from haystack.views.state import State


def config(state: State, asked: Asked, context: Context) -> Result:
    """A line a setting."""
    rows = [each for each in state.settings.told() if asked["all"] or asked["json"] or each.source != "default"]
    if asked["json"]:
        return Result(as_json([{"name": each.name, "value": None if each.unset else each.value, "source": each.source} for each in rows]))
    if not rows:
        return Result("every setting is at its default; config --all shows them")
    titles = ("setting", Column("value", fold=True), "from")
    text = table(titles, [(each.name, each.value, each.source) for each in rows], context.width)
    return Result(text if asked["all"] else f"{text}\nthe others are at their defaults; config --all shows them")


COMMAND = Command(
    "config",
    "the settings in effect, and where each came from",
    (switch("all", "also those at their defaults"), JSON),
    config,
    example="config --all",
    more="Settings at their defaults are left out; --all and --json show all of them. One without a value is - here, and null in JSON.",
)

"""What `drain`, `undrain` and `weight` have in common: whom they mean, what they print, and the list of all that holds."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Mapping

from haystack.console import short_ids
from haystack.console.command import NOT_FOUND, OK, Context, Kind, Talk, option, switch, word
from haystack.console.command_line import nearest_of
from haystack.console.listing import json_array
from haystack.console.long_text import Lines
from haystack.console.tables import Column, age, tabled
from haystack.loop.turns import Turns, in_turns, ordered
from haystack.model import spelling
from haystack.model.overrides import Overrides, Scope, Target
from haystack.model.reasons import span
from haystack.model.services import Override
from haystack.observe.safe_text import printable
from haystack.operator import targets
from haystack.operator.changes import ChangeError, NotKeptError, Who
from haystack.views import shapes
from haystack.views.state import Picture, State

SUBJECT = "an endpoint (its id, or web-001:80), a container, or a service"


def positive(text: str) -> float:
    """A duration. Raises ValueError."""
    if (found := spelling.seconds(text)) <= 0:
        raise ValueError("not more than nothing")
    return found


FOR = option("for", "T", "undo it after this time, such as 10m", takes=positive)
WHY = option("why", "TEXT", "a reason, for the log and for others")
KEEP = switch("keep", "keep it over a restart of Haystack too")
WHAT = word("what", "ENDPOINT|CONTAINER|SERVICE", SUBJECT, completes=Kind.SUBJECTS)


def who(context: Context) -> Who:
    """Whoever is logged in."""
    return Who(by=context.by.name, fingerprint=context.by.fingerprint)


async def found(state: State, text: str, talk: Talk, held: Mapping[str, Override] | None = None) -> Target | None:
    """What is meant; None: nothing, and that has been said. held: what may have gone, and is meant where nothing that is there has one."""
    target: Target | None = None
    try:
        target = await in_turns(targets.find(state.snapshot, text))
    except targets.UnknownError as error:
        if held is None or (gone := targets.held(held.values(), state.snapshot, text)) is None:
            await unknown(error, talk)
            return None
        return gone
    if held is None or target.id in held:
        return target
    return targets.held(held.values(), state.snapshot, text) or target


async def unknown(error: targets.UnknownError, talk: Talk) -> None:
    """Say so, with the nearest name that there is."""
    near = await in_turns(nearest_of(error.word, error.known)) if error.word else ""
    await talk.complain(printable(str(error)) + near)


async def changed(change: Awaitable[Override | None], talk: Talk) -> tuple[Override | None, int]:
    """Make a change: what came of it, and the exit status; what is wrong is said."""
    try:
        return await change, OK
    except ChangeError as error:
        await talk.complain(printable(str(error)))
        return None, NOT_FOUND
    except NotKeptError as error:
        await talk.complain(printable(str(error)))
        return error.override, NOT_FOUND


def called(target: Target) -> str:
    """A target as a sentence begins."""
    return printable(f"service {target.name}" if target.scope is Scope.SERVICE else target.name)


def remaining(override: Override, now: float) -> str:
    """``, until 2026-11-30 14:02:03Z (10 min)``; nothing where it has no end."""
    return f" for {span(override.until - now)}" if override.until else ""


def row(picture: Picture, override: Override, now: float) -> tuple[object, ...]:
    """One override of the list."""
    there = override.target in picture.services if override.scope == Scope.SERVICE.value else override.container in picture.containers
    kind = f"weight {override.weight}" if override.weight is not None else override.kind
    until = f"in {span(override.until - now)}" if override.until else "undone"
    name = override.name if there else f"{override.name} (gone)"
    return (
        name,
        kind,
        override.target,
        override.by,
        override.why,
        f"{age(now - override.at)} ago",
        until,
        "yes" if override.kept else "no",
    )


TITLES = (
    Column("name", fold=True),
    "kind",
    Column("target", spare=2, brief=short_ids.identity),
    Column("by", fold=True),
    Column("why", fold=True),
    "since",
    "until",
    Column("kept", spare=1),
)


def text(picture: Picture, overrides: Overrides, width: int | None) -> Turns[list[str]]:
    """All that hold, by name."""
    out, now = Lines(), time.time()
    some = yield from ordered(tuple(overrides), lambda o: f"{o.name}\0{o.kind}\0{o.target}")
    if some:
        yield from tabled(out, TITLES, (row(picture, each, now) for each in some), width)
    else:
        out.add("nothing is drained, and no weight is changed")
    return out.pieces()


def json(overrides: Overrides) -> Turns[list[str]]:
    """The same for scripts."""
    return (yield from json_array(map(shapes.override_shape, tuple(overrides))))

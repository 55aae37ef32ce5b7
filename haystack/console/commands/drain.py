"""`drain ENDPOINT|CONTAINER|SERVICE`: no new request goes there, and `--wait` waits for the last one. Without a word: all that hold."""

from __future__ import annotations

import time
from typing import Any

from haystack.console import overridden
from haystack.console.command import (
    JSON,
    NOT_FOUND,
    OK,
    USAGE,
    Asked,
    Command,
    Context,
    Kind,
    Live,
    Result,
    Talk,
    option,
    switch,
    word,
)
from haystack.console.listing import as_json
from haystack.loop.turns import Turns
from haystack.model.overrides import Scope, Target
from haystack.model.services import Override
from haystack.observe.safe_text import printable
from haystack.operator import targets, waits
from haystack.operator.waits import End
from haystack.views import shapes
from haystack.views.state import State

CHANGES = ("wait", "for", "why", "keep", "timeout")


def drain(state: State, asked: Asked, context: Context) -> Result | Turns[Result]:
    """The list, or the change, which goes on for a while."""
    if asked["what"] is None:
        if any(asked[each] for each in CHANGES):
            return Result(f"what is to be drained? usage: {COMMAND.usage}", USAGE)
        return _listed(state, asked, context)
    if asked["timeout"] and not asked["wait"]:
        return Result("--timeout is for --wait; --for undoes the drain by itself", USAGE)

    async def goes_on(talk: Talk) -> int:
        return await _drain(state, asked, context, talk)

    return Result("", effect=Live(goes_on))


def _listed(state: State, asked: Asked, context: Context) -> Turns[Result]:
    held = state.operator.overrides
    return Result((yield from overridden.json(held) if asked["json"] else overridden.text(state.snapshot, held, context.width)))


async def _drain(state: State, asked: Asked, context: Context, talk: Talk) -> int:
    """Take it out, and wait where that is asked."""
    target = await overridden.found(state, asked["what"], talk)
    if target is None:
        return NOT_FOUND
    site, who = state.snapshot, overridden.who(context)
    change = state.operator.drain(target, who, why=asked["why"] or "", seconds=asked["for"] or 0.0, keep=asked["keep"])
    made, status = await overridden.changed(change, talk)
    if made is None:
        return status
    said = _Said(asked["json"], talk)
    emptied = [] if target.scope is Scope.SERVICE else targets.without_endpoint(state.snapshot, target)
    count = await waits.in_flight(state.operator, site, target)
    await said.begin(target, made, emptied, count)
    if asked["wait"]:
        end, count = await waits.emptied(state.operator, site, target, asked["timeout"], said.progress)
        status = await said.end(target, end, count) or status
    await said.close(count)
    return status


class _Said:
    """What the command prints: sentences, or one object of JSON at its end; warnings go to standard error in both."""

    def __init__(self, json: bool, talk: Talk) -> None:
        self._json, self._talk = json, talk
        self._shape: dict[str, Any] = {}

    async def begin(self, target: Target, made: Override, emptied: list[str], count: int | None) -> None:
        """It is drained."""
        self._shape = {**shapes.override_shape(made), "without_endpoint": emptied, "ended": None}
        state = "in maintenance" if target.scope is Scope.SERVICE else "drained"
        await self._say(f"{overridden.called(target)} is {state}{overridden.remaining(made, time.time())}; {_counted(count)}")
        for name in emptied:
            await self._talk.complain(printable(f"warning: {name} has no endpoint that is ready: requests for it are answered 503"))

    async def progress(self, count: int) -> None:
        """So many are in flight."""
        if self._talk.terminal:
            await self._say(_counted(count))

    async def end(self, target: Target, end: End, count: int | None) -> int:
        """Waiting has ended; the exit status."""
        self._shape["ended"] = end.value
        if end is End.EMPTY:
            await self._say(f"{overridden.called(target)}: nothing is in flight any more")
            return OK
        why = "it is not drained any more" if end is End.UNDONE else "the time is up; it stays drained"
        await self._talk.complain(f"{overridden.called(target)}: {why}, {_counted(count)}")
        return NOT_FOUND

    async def close(self, count: int | None) -> None:
        """The end."""
        if self._json:
            await self._talk.line(as_json({**self._shape, "in_flight": count}))

    async def _say(self, text: str) -> None:
        if not self._json:
            await self._talk.line(text)


def _counted(count: int | None) -> str:
    if count is None:
        return "how many exchanges are in flight is not known: a worker does not answer"
    return f"{count} exchange{'' if count == 1 else 's'} in flight"


COMMAND = Command(
    "drain",
    "send no new request to an endpoint, a container or a service; what is in flight ends. Alone: all drains and weights",
    (
        word("what", overridden.WHAT.shown, f"{overridden.SUBJECT}; none: list what is drained", completes=Kind.SUBJECTS, needed=False),
        switch("wait", "return when the last exchange has ended; Ctrl-C ends the waiting, not the drain"),
        option("timeout", "T", "with --wait: give up after this time, with exit status 1", takes=overridden.positive),
        overridden.FOR,
        overridden.WHY,
        overridden.KEEP,
        JSON,
    ),
    drain,
    example="drain web-001 --wait --for 10m --why upgrade",
    more="A service that is drained is in maintenance: requests for it are answered 503 at once. `undrain` undoes it.",
)

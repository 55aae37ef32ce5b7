"""`events`: what Docker, health, operators and Haystack itself did, and what followed."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from haystack.console import happenings, listing, lists
from haystack.console.command import JSON, NOT_FOUND, OK, Asked, Command, Context, Kind, Live, Result, Talk, option, switch, word
from haystack.console.command_line import nearest_of
from haystack.console.tables import age
from haystack.loop.turns import Turns, in_turns, stretches
from haystack.model import spelling
from haystack.observe.journal import Entry
from haystack.observe.safe_text import printable, printable_json
from haystack.operator import targets
from haystack.views.state import State


def events(state: State, asked: Asked, context: Context) -> Turns[Result]:
    """Those of the last while, or these and each that follows."""
    if asked["follow"]:

        async def goes_on(talk: Talk) -> int:
            return await follow(state, asked, talk)

        return Result("", effect=Live(goes_on))
    found = yield from recent(state, asked)
    if not found and (absent := (yield from absence(state, asked["subject"]))):
        return Result(absent, NOT_FOUND)
    if asked["json"]:
        return Result((yield from listing.json_array(msgspec.to_builtins(entry) for entry in found)))
    if not found:
        return Result(nothing(state, asked))
    return Result((yield from happenings.text(found, context.width)))


def recent(state: State, asked: Asked) -> Turns[list[Entry]]:
    """Those that are wanted of the last while."""
    wanted, found = filtered(state, asked), list[Entry]()
    for some in stretches(state.journal.since(time.time() - asked["since"])):
        found += filter(wanted, some)
        yield
    return found


def filtered(state: State, asked: Asked) -> Callable[[Entry], bool]:
    """Whether an entry is asked for."""
    subject = asked["subject"]
    if subject is None:
        return lambda _entry: True
    whole = lists.whole(subject, state)
    return lambda entry: happenings.is_about(entry, subject, whole)


def absence(state: State, subject: str | None) -> Turns[str]:
    """That nothing of this name is there, nor ever was as far as is known, and what may have been meant; empty: something is or was."""
    if subject is None or subject in state.registry.sources or any(subject == engine.name for engine in state.snapshot.engines.values()):
        return ""
    try:
        yield from targets.find(state.snapshot, subject)
    except targets.UnknownError as error:
        if not error.word:  # it is several things
            return ""
        whole = lists.whole(subject, state)
        for some in stretches(state.journal.since(0.0)):
            if any(happenings.is_about(entry, subject, whole) for entry in some):
                return ""
            yield
        return printable(str(error)) + (yield from nearest_of(error.word, error.known))
    return ""


def nothing(state: State, asked: Asked) -> str:
    """That there is none, and how far back is known."""
    about = f" to {printable(asked['subject'])}" if asked["subject"] else ""
    known = time.time() - state.journal.begun
    less = f" (known are the last {age(known)})" if known < asked["since"] else ""
    return f"nothing happened{about} in the last {age(asked['since'])}{less}"


async def follow(state: State, asked: Asked, talk: Talk) -> int:
    """Print those of the last while, and then each as it comes, until Ctrl-C."""
    async with state.journal.follow() as news:
        lost, wanted = 0, filtered(state, asked)
        found = await in_turns(recent(state, asked))
        if not found and (absent := await in_turns(absence(state, asked["subject"]))):
            await talk.complain(f"waiting: {absent}")
        for entry in found:
            await talk.line(shown(entry, asked))
        async for entry in news:
            if news.lost > lost:
                await talk.complain(f"{news.lost - lost} events came faster than they were read, and are not shown")
                lost = news.lost
            if wanted(entry):
                await talk.line(shown(entry, asked))
    return OK


def shown(entry: Entry, asked: Asked) -> str:
    """One line."""
    return printable_json(msgspec.json.encode(entry).decode()) if asked["json"] else happenings.line(entry)


COMMAND = Command(
    "events",
    "what Docker, health checks, operators and Haystack itself did, and what followed",
    (
        word("subject", "SERVICE|CONTAINER", "only what concerns it", completes=Kind.SUBJECTS, needed=False),
        option("since", "T", "how far back, as 10m or 2h; else 10m", takes=spelling.seconds, default=600.0),
        switch("follow", "go on with each event that comes; Ctrl-C ends it"),
        JSON,
    ),
    events,
    example="events web.nginx --since 1h",
)

"""`replay WHEN`: a window of time gone by, as it was."""

from __future__ import annotations

import time

from haystack.console import happenings, listing, lists, moments
from haystack.console.command import JSON, NOT_FOUND, Asked, Command, Context, Kind, Result, option, word
from haystack.loop.turns import Turns
from haystack.model import spelling
from haystack.observe.safe_text import printable
from haystack.views.replay import Replay, replay
from haystack.views.state import State


def show(state: State, asked: Asked, context: Context) -> Turns[Result]:
    """Who was in, what happened, what went wrong and where exchanges were sent instead."""
    first, last = window(asked, time.time())
    service = lists.whole(asked["service"], state) if asked["service"] else None
    told = yield from replay(state.past, first, last, service)
    if service is not None and service not in state.snapshot.services and not _is_known(told, service):
        return Result(f"no service {printable(service)} was in then, and nothing is known of it", NOT_FOUND)
    if last <= told.known:
        text = f"what happened then is not known: all is known from {moments.dated(told.known)} UTC on"
        return Result(text, NOT_FOUND)
    if asked["json"]:
        fields = {name: getattr(told, name) for name in told.__struct_fields__}
        return Result((yield from listing.json_of(fields)))
    return Result((yield from happenings.replay_text(told, context.width)))


def window(asked: Asked, now: float) -> tuple[float, float]:
    """From when until when. Without --for it goes until now where it was told how long ago it began."""
    begun, length = asked["when"], asked["for"]
    if length is None and begun.ago:
        return begun.at, now
    return begun.at, min(begun.at + (LENGTH if length is None else length), now)


def _is_known(told: Replay, service: str) -> bool:
    """Whether anything was told of a service itself."""
    events = any(service in (event.about, *event.services) for event in told.events)
    return events or bool(told.outcomes) or any((*told.before.values(), *told.after.values()))


LENGTH = 60.0  # seconds
USUAL = ("1m", "5m", "10m", "1h")
COMMAND = Command(
    "replay",
    "a window of time gone by: who was in, what happened, which requests failed or were sent to another endpoint, and why",
    (
        word("when", "WHEN", "its beginning (UTC): 14:02, 14:02:30, 2026-11-30T14:02 or 10m (ago)", takes=moments.past, completes=USUAL),
        word("service", "SERVICE", "of one service alone", completes=Kind.SERVICES, needed=False),
        option("for", "T", "its length; else until now where WHEN is how long ago, and 1m where it is a time", takes=spelling.seconds),
        JSON,
    ),
    show,
    example="replay 14:02 web.nginx --for 30s",
)

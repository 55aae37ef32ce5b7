"""`explain URL`."""

from __future__ import annotations

from haystack.console import explain as explanation
from haystack.console.command import JSON, NOT_FOUND, OK, Asked, Command, Context, Kind, Result, word
from haystack.console.listing import json_of
from haystack.loop.turns import Turns
from haystack.views import explanation as rules
from haystack.views import lookups
from haystack.views.state import State


def explain(state: State, asked: Asked, context: Context) -> Turns[Result]:
    """Which service answers a URL, and with which endpoints."""
    if asked["json"]:
        told = yield from lookups.explained(state, asked["url"])
        return Result((yield from json_of(told)), OK if told["service"] is not None else NOT_FOUND)
    text, found = yield from explanation.text(state, asked["url"], context.width)
    return Result(text, OK if found else NOT_FOUND)


COMMAND = Command(
    "explain",
    "which service answers a URL, and which of its endpoints are in or out, and why",
    (word("url", "URL", "a URL, or a host name with a path", takes=rules.read, completes=Kind.HOSTS), JSON),
    explain,
    example="explain http://nginx.services.haystack/login",
)

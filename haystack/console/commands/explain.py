"""`explain URL`."""

from __future__ import annotations

from haystack.console import explain as explanation
from haystack.console.command import NOT_FOUND, OK, Asked, Command, Context, Result, word
from haystack.loop.turns import Turns
from haystack.views.state import State


def explain(state: State, asked: Asked, context: Context) -> Turns[Result]:
    """Which service answers a URL, and with which endpoints."""
    text, found = yield from explanation.text(state, asked["url"], context.width)
    return Result(text, OK if found else NOT_FOUND)


def url(text: str) -> explanation.Asked:
    """The parts of a URL that count."""
    try:
        return explanation.read(text)
    except ValueError as error:
        raise ValueError(f"no URL: {error}") from None


COMMAND = Command(
    "explain",
    "which service answers a URL, and which of its endpoints are in or out, and why",
    (word("url", "URL", "a URL, or a host name with a path", takes=url),),
    explain,
    example="explain http://nginx.services.haystack/login",
)

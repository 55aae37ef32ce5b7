"""`limits`: what holds clients, endpoints and Haystack itself, how much of it is in use, and how often it was met."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from haystack.console.command import JSON, Asked, Command, Context, Result
from haystack.console.listing import as_json
from haystack.console.tables import Column, table
from haystack.views.state import State


class Limit(NamedTuple):
    """What is limited, by which settings, and what requests end with that meet it: words of RFC 9209 with statuses (0: no answer).

    used: how much is in use now; None: that is not counted.
    """

    what: str
    settings: tuple[str, ...]
    ends: tuple[tuple[str, int], ...] = ()
    used: Callable[[State], int] | None = None


def _clients(state: State) -> int:
    return sum(worker.clients for worker in state.proxy.workers)


LIMITS = (
    Limit("client connections", ("max_connections",), used=_clients),
    Limit("connections of one client address", ("max_client_connections",), (("http_request_denied", 429),)),
    Limit("request head: bytes and fields", ("max_head", "max_headers"), (("http_request_error", 414), ("http_request_error", 431))),
    Limit("requests at once on a connection of HTTP/2", ("max_streams",)),
    Limit("time for a request's head; rate of its body", ("head_timeout", "body_rate"), (("connection_read_timeout", 408),)),
    Limit("time between two requests", ("idle_timeout",)),
    Limit("rate at which a client reads; memory for what is unread", ("read_rate", "answer_memory"), (("connection_write_timeout", 0),)),
    Limit("requests that wait for an endpoint, and how long", ("queue_size", "queue_timeout"), (("connection_limit_reached", 503),)),
    Limit("time that requests wait for a service without endpoints", ("wait",), (("destination_unavailable", 503),)),
    Limit("time to connect to an endpoint", ("connect_timeout",), (("connection_timeout", 504),)),
    Limit("time for an endpoint to answer", ("timeout",), (("http_response_timeout", 504),)),
    Limit("idle connections to one endpoint, per worker; how long; how old", ("pool_size", "pool_idle", "pool_age")),
    Limit("body kept for a retry", ("kept_body",)),
    Limit("idle tunnel", ("tunnel_timeout",)),
    Limit("time to finish when Haystack stops", ("drain",)),
)


def limits(state: State, asked: Asked, context: Context) -> Result:
    """A line a limit."""
    told = {each.name.removeprefix("HAYSTACK_").lower(): each for each in state.settings.told()}
    rows = []
    for each in LIMITS:
        shown = [f"{told[field].name.removeprefix('HAYSTACK_')} {told[field].value}" for field in each.settings]
        rows.append((each.what, shown, each.used(state) if each.used is not None else None, _met(state, each)))
    if asked["json"]:
        return Result(as_json([dict(zip(("limit", "settings", "used", "met"), row, strict=True)) for row in rows]))
    titles = (Column("limit", fold=True), Column("settings (HAYSTACK_…)", fold=True), "in use", "met")
    text = table(titles, rows, context.width)
    return Result(f"{text}\nmet: requests that ended by it since the start. Those for Haystack's own answers: docs/limits.md")


def _met(state: State, limit: Limit) -> int | None:
    """How many exchanges have ended by it; None: nothing tells."""
    return sum(state.proxy.errors.get(end, 0) for end in limit.ends) if limit.ends else None


async def ahead(state: State, _asked: Asked, context: Context) -> Context:
    """The workers' newest counts."""
    await state.refresh()
    return context


COMMAND = Command("limits", "the limits, how much is in use, and how often one was met", (JSON,), limits, ahead=ahead, example="limits")

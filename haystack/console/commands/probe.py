"""`probe URL`: one request now, and how each phase of it goes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from time import perf_counter

from haystack.console import listing, probing
from haystack.console.command import JSON, NOT_FOUND, OK, Asked, Command, Context, Talk, word
from haystack.console.exchanges import Names
from haystack.console.probing import Answer, Target
from haystack.console.trace_line import duration, phase, size
from haystack.loop.turns import in_turns
from haystack.model.balance import parts
from haystack.model.reports import Trace
from haystack.observe.safe_text import printable
from haystack.observe.trace import ITSELF
from haystack.views import explanation
from haystack.views.explanation import Found
from haystack.views.state import State

TRACE_SECONDS = 2.0  # a worker tells of an exchange within a fraction of one
SERVER_ERROR = 500  # the first status of these (RFC 9110, section 15.6)
SHOWN = ("content-type", "content-length", "location", "retry-after", "server", "via", "proxy-status")
LEFT = 10  # columns of the names of phases


async def probe(state: State, asked: Asked, context: Context, talk: Talk) -> int:
    """Each phase as it is over."""
    target: Target = asked["url"]
    say = _Said(talk, quiet=asked["json"])
    began = perf_counter()
    answers = state.responder.lookup(target.asked.host, "A", context.local)
    await say.line("name", "; ".join(" ".join(line.removeprefix(";; ").split()) for line in answers), perf_counter() - began)
    address, port, listener = probing.listener(state, target.asked)
    other = target.asked.port not in (None, port)
    await say.line("listener", f"{listener}, {address}:{port}" + (f", for no listener is on port {target.asked.port}" if other else ""))
    found = await in_turns(explanation.find(state.snapshot.services.values(), target.asked))
    await say.line("service", f"{found.service.name}, by host {found.host} and path {found.path}" if found else "none claims this URL")
    answer, trace = await exchange(state, target, (address, port), found)
    for name, text in (*_way(state, trace, answer), *_told(answer), *_notes(target, found)):
        await say.line(name, text)
    if asked["json"]:
        await talk.line(listing.as_json(shape(target, answers, found, answer, trace)))
    return OK if answer.status and answer.status < SERVER_ERROR and trace is not None and trace.endpoint and not trace.error else NOT_FOUND


class _Said:
    """What a person reads: a phase a line."""

    def __init__(self, talk: Talk, *, quiet: bool) -> None:
        self._talk, self._quiet = talk, quiet

    async def line(self, name: str, text: str, seconds: float | None = None) -> None:
        """One phase, and how long it took."""
        if not self._quiet:
            took = f"  ({duration(seconds * 1000)})" if seconds is not None else ""
            await self._talk.line(f"{name:<{LEFT}}{printable(text)}{took}")


async def exchange(state: State, target: Target, where: tuple[str, int], found: Found | None) -> tuple[Answer, Trace | None]:
    """The request, and what its worker tells of it; None: it told nothing."""
    identity = probing.identity()
    async with state.traces.subscribe(found.service.name if found else None, wants=lambda trace: trace.request_id == identity) as traces:
        await state.refresh()  # a worker answers this behind the order to trace
        answer = await probing.ask(*where, target, identity)
        try:
            async with asyncio.timeout(TRACE_SECONDS):
                return answer, await anext(traces)
        except TimeoutError:
            return answer, None


def _way(state: State, trace: Trace | None, answer: Answer) -> Iterator[tuple[str, str]]:
    """Where it went, and how long each phase took."""
    if trace is None:
        yield "inside", "not known: no worker tells of this request, or of too many others"
    else:
        failed = ", ".join(trace.candidates[:-1])
        before = f", after {failed}" if failed else ""
        kind = "a connection of the pool" if trace.reused else "a new connection"
        name = Names(state).name(trace) if trace.service == ITSELF else f"{Names(state).name(trace)} ({trace.endpoint})"
        yield "endpoint", f"{name}, {kind}{before}" if trace.endpoint else "none"
        yield "inside", f"route {phase(trace.route_ms)}, connect {phase(trace.connect_ms)}, first byte {phase(trace.first_byte_ms)} ms"
        if trace.error:
            yield "error", f"{trace.error}{f' ({trace.detail})' if trace.detail else ''}"
        yield "id", trace.request_id
    seen = (("connect", answer.connected), ("first byte", answer.first), ("total", answer.total))
    yield "client", ", ".join(f"{name} {duration(seconds * 1000) if seconds else '-'}" for name, seconds in seen)


def _told(answer: Answer) -> Iterator[tuple[str, str]]:
    """What the client got."""
    if answer.status:
        more = "" if answer.whole else ", and more that was not waited for"
        yield "status", f"{answer.status} {answer.reason}, {size(answer.octets)} of body{more}"
    if answer.error:
        yield "failed", answer.error
    for name in SHOWN:
        if text := answer.field(name):
            yield "field", f"{name}: {text}"


def _notes(target: Target, found: Found | None) -> Iterator[tuple[str, str]]:
    """What may be different for others than for this request, which came from Haystack itself and without a cookie."""
    if target.asked.tls:
        yield "note", "this was sent without TLS"
    if found is None:
        return
    for text in explanation.askers(found):
        yield "note", text
    if found.by.sticky:
        yield "note", f"a client with the cookie {found.by.sticky} gets the endpoint named there"
    if parts(found.by.balance or "").keyed:
        yield "note", f"other clients may get another endpoint: {found.by.balance}"


def shape(target: Target, answers: list[str], found: Found | None, answer: Answer, trace: Trace | None) -> dict[str, object]:
    """All of it for a script. Seconds, but for a trace's phases."""
    return {
        "host": target.asked.host, "target": target.target, "dns": answers, "service": found.service.name if found else None,
        "status": answer.status, "reason": answer.reason, "headers": [list(pair) for pair in answer.fields], "body": answer.octets,
        "whole": answer.whole, "connected": answer.connected, "first": answer.first, "total": answer.total, "error": answer.error,
        "trace": {name: getattr(trace, name) for name in trace.__struct_fields__} if trace else None,
    }  # fmt: skip


COMMAND = Command(
    "probe",
    "send one request now, through Haystack's own proxy, and show each phase of it",
    (word("url", "URL", "a URL, or a host name with a path, of a service of Haystack's", takes=probing.read), JSON),
    live=probe,
    example="probe http://nginx.services.haystack/login",
    more="It is a GET to a listener of this Haystack, never to another address. Redirects are not followed. "
    "Status 0: an endpoint answered, and not with 5xx.",
)

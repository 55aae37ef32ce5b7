"""`probe URL`: one request now, and how each phase of it goes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from time import perf_counter

from haystack.catalog.claims import ALL
from haystack.console import listing, lists, probing
from haystack.console.command import JSON, NOT_FOUND, OK, Asked, Command, Context, Kind, Talk, word
from haystack.console.exchanges import Names
from haystack.console.probing import Answer, Door, Target
from haystack.console.trace_line import duration, phase, size
from haystack.console.wrapping import pieces
from haystack.loop.turns import in_turns
from haystack.model.balance import parts
from haystack.model.reports import Trace
from haystack.observe.safe_text import printable
from haystack.observe.trace import ITSELF
from haystack.tls.certificate import day
from haystack.views import explanation
from haystack.views.explanation import Found
from haystack.views.state import State

TRACE_SECONDS = 2.0  # a worker tells of an exchange within a fraction of one
PERMANENT_REDIRECT = 308  # what Haystack itself answers where HTTP leads to HTTPS
SERVER_ERROR = 500  # the first status of these (RFC 9110, section 15.6)
SHOWN = ("content-type", "content-length", "location", "retry-after", "server", "via", "proxy-status")
LEFT = 10  # columns of the names of phases


async def probe(state: State, asked: Asked, context: Context, talk: Talk) -> int:
    """Each phase as it is over."""
    target: Target = asked["url"]
    say = Said(talk, quiet=asked["json"])
    began = perf_counter()
    answers = state.responder.lookup(target.asked.host, "A", context.local)
    await say.line("name", "; ".join(" ".join(line.removeprefix(";; ").split()) for line in answers), perf_counter() - began)
    door = probing.door(state, target.asked)
    await say.line("listener", f"{door.name}, {door.address}:{door.port}{_elsewhere(target, door)}")
    found = await in_turns(explanation.find(state.snapshot.services.values(), target.asked))
    await say.line("service", f"{found.service.name}, by host {found.host} and path {found.path}" if found else "none claims this URL")
    answer, trace = await exchange(state, target, door, found)
    heard = (*_sealed(answer, target), *_told(answer), *_meant(state, target, found), *_notes(target, door, found, answer, trace))
    for name, text in (*_way(state, door, trace, answer, found), *heard):
        await say.line(name, text)
    if asked["json"]:
        await talk.line(listing.as_json(shape(target, answers, found, answer, trace)))
    return OK if _is_well(door, answer, trace, found) else NOT_FOUND


class Said:
    """What a person reads: a phase a line, or as many as it needs on a terminal."""

    def __init__(self, talk: Talk, *, quiet: bool) -> None:
        self._talk, self._quiet = talk, quiet

    async def line(self, name: str, text: str, seconds: float | None = None) -> None:
        """One phase, and how long it took."""
        if not self._quiet:
            took = f"  ({duration(seconds * 1000)})" if seconds is not None else ""
            told = printable(text) + took
            lines = pieces(told, max(LEFT, self._talk.size[0] - LEFT)) if self._talk.terminal else [told]
            await self._talk.line("\n".join(f"{name if not at else '':<{LEFT}}{line}" for at, line in enumerate(lines)))


def _elsewhere(target: Target, door: Door) -> str:
    """Why it is not the port of the URL that is asked, where it is not."""
    if target.asked.port in (None, door.port):
        return ""
    return f", for no listener{' of https' if door.sealed else ''} is on port {target.asked.port}"


def _is_well(door: Door, answer: Answer, trace: Trace | None, found: Found | None) -> bool:
    """Whether an endpoint has answered, and not with an error of its own."""
    if not answer.status or answer.status >= SERVER_ERROR:
        return False
    return _is_passed(door, found) or (trace is not None and bool(trace.endpoint) and not trace.error)


def _is_passed(door: Door, found: Found | None) -> bool:
    """Whether it goes within TLS that ends at the endpoint: then the endpoint alone answers, and no worker can read what it says."""
    return door.sealed and found is not None and found.path == ALL


async def exchange(state: State, target: Target, door: Door, found: Found | None) -> tuple[Answer, Trace | None]:
    """The request, and what its worker tells of it; None: it told nothing."""
    identity = probing.identity()
    async with state.traces.subscribe(found.service.name if found else None, wants=lambda trace: trace.request_id == identity) as traces:
        await state.refresh()  # a worker answers this behind the order to trace
        answer = await probing.ask(door, target, identity)
        if _is_passed(door, found) or (door.sealed and not answer.sealed):
            return answer, None
        try:
            async with asyncio.timeout(TRACE_SECONDS):
                return answer, await anext(traces)
        except TimeoutError:
            return answer, None


def _way(state: State, door: Door, trace: Trace | None, answer: Answer, found: Found | None) -> Iterator[tuple[str, str]]:
    """Where it went, and how long each phase took."""
    if _is_passed(door, found):
        yield "inside", "not known: the TLS is passed through to the endpoint, and the worker reads nothing of it"
    elif trace is None:
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
    seen = [("connect", answer.connected), ("first byte", answer.first), ("total", answer.total)]
    seen[1:1] = [("handshake", answer.sealed)] if answer.sealed else []
    yield "client", ", ".join(f"{name} {duration(seconds * 1000) if seconds else '-'}" for name, seconds in seen)


def _sealed(answer: Answer, target: Target) -> Iterator[tuple[str, str]]:
    """The TLS that it went through, and what clients may have against the certificate."""
    shown, host = answer.certificate, target.asked.host
    if not answer.sealed:
        return
    if shown is None:
        yield "tls", f"{answer.version}, with a certificate that can't be read"
        return
    names = ", ".join(shown.names) or "no host name"
    yield "tls", f"{answer.version}, certificate for {names}, by {shown.issuer}, valid until {day(shown.not_after)}"
    against = [] if shown.covers(host) else [f"it is not for {host}"]
    for text in filter(None, [*against, shown.flaw()]):
        yield "note", f"clients refuse the certificate: {text}"


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


def _meant(state: State, target: Target, found: Found | None) -> Iterator[tuple[str, str]]:
    """The service whose short name was given."""
    if found is None and (whole := lists.whole(target.asked.host, state)) in state.snapshot.services:
        yield "note", f"did you mean {whole}?"


def _notes(target: Target, door: Door, found: Found | None, answer: Answer, trace: Trace | None) -> Iterator[tuple[str, str]]:
    """What may be different for others than for this request, which came from Haystack itself and without a cookie."""
    if target.asked.tls and not door.sealed:
        yield "note", "nothing listens for https, so this was sent without TLS"
    own = trace is not None and not trace.endpoint
    if own and answer.status == PERMANENT_REDIRECT and not door.sealed and answer.field("location").startswith("https://"):
        yield "note", f"Haystack sends plain HTTP to HTTPS: probe {answer.field('location')} goes on to an endpoint"
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
        "whole": answer.whole, "connected": answer.connected, "sealed": answer.sealed, "first": answer.first, "total": answer.total,
        "error": answer.error, "tls": _tls_shape(answer),
        "trace": {name: getattr(trace, name) for name in trace.__struct_fields__} if trace else None,
    }  # fmt: skip


def _tls_shape(answer: Answer) -> dict[str, object] | None:
    shown = answer.certificate
    if not answer.sealed:
        return None
    of = {"names": list(shown.names), "issuer": shown.issuer, "not_after": shown.not_after} if shown is not None else None
    return {"version": answer.version, "certificate": of}


COMMAND = Command(
    "probe",
    "send one request now, through Haystack's own proxy, and show each phase of it",
    (
        word("url", "URL", "a URL, or a host name with a path, of a service of Haystack's", takes=probing.read, completes=Kind.HOSTS),
        JSON,
    ),
    live=probe,
    example="probe http://nginx.services.haystack/login",
    more="It is a GET to a listener of this Haystack, never to another address; for https:// within TLS. Redirects are not followed. "
    "Status 0: an endpoint answered, and not with 5xx.",
)

"""The ways of a request to an endpoint and of its answer back: HTTP/1.1 and HTTP/2, with TLS and without, on both sides of one Haystack.

Whoever is at an end is made to say what it saw in the same words, so that two ways can be compared. DIFFERENCES has what may differ.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from tests.differential.messages import HOSTS, Ask, Pairs, Say
from tests.fakes import h2_origin, origin
from tests.fakes.client import Client
from tests.fakes.http2 import Http2Client
from tests.fakes.origin import Loop, Origin
from tests.fakes.pki import Authority
from tests.fakes.tls import TlsClient, trusting
from tests.fakes.worker import Haystack, Member

WITH_A_LENGTH = ("POST", "PUT", "PATCH")  # a request of these says so where it has no body (RFC 9110, section 8.6)
MADE = 32  # characters of an X-Request-Id that Haystack makes
HOPS = ("connection", "keep-alive", "transfer-encoding", "upgrade")


class Seen(NamedTuple):
    """A message as one end saw it: first is the method and target, or the status; fields: in small letters, by name."""

    first: tuple[str, ...]
    fields: dict[str, tuple[str, ...]]
    body: bytes = b""
    trailers: dict[str, tuple[str, ...]] = {}  # noqa: RUF012
    interim: tuple[tuple[int, dict[str, tuple[str, ...]]], ...] = ()
    whole: bool = True


def named(fields: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    """Values by name: only the order of fields with one name means anything (RFC 9110, section 5.3)."""
    lowered = sorted(((name.lower(), value) for name, value in fields), key=lambda pair: pair[0])
    return {name: tuple(value for _, value in group) for name, group in groupby(lowered, key=lambda pair: pair[0])}


# Endpoints.


def seen_by_http1(request: origin.Request) -> Seen:
    lines = request.head.decode("latin-1").split("\r\n")
    method, target, _ = lines[0].split(" ")
    pairs = (line.partition(":") for line in lines[1:] if line)
    fields = named((name, value.strip(" ")) for name, _, value in pairs)
    return Seen((method, target), fields, request.body, named(request.trailers))


def seen_by_http2(request: h2_origin.Request) -> Seen:
    said = dict(request.fields)
    fields = [("host" if name == ":authority" else name, value) for name, value in request.fields]
    plain = named((name, value) for name, value in fields if not name.startswith(":"))
    return Seen((said[":method"], said[":path"]), plain, request.body, named(request.trailers))


def answer_of_http1(say: Say) -> origin.Script:
    """Say it in HTTP/1.1."""

    async def script(call: origin.Call) -> None:
        await call.body()
        await call.send(http1(say, head_only=call.request.line.startswith("HEAD ")))
        call.keep = not say.ends

    return script


def http1(say: Say, *, head_only: bool) -> bytes:
    lines = [line for status, fields in say.interim for line in (f"HTTP/1.1 {status} Now", *texts(fields), "")]
    lines += [f"HTTP/1.1 {say.status} So", *texts(say.fields)]
    bare = say.status in (204, 304)
    if not bare and not say.ends:
        lines.append(f"content-length: {len(say.body)}" if say.counted else "transfer-encoding: chunked")
    head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
    if bare or head_only:
        return head
    return head + (say.body if say.counted or say.ends else chunks(say.parts, say.trailers))


def texts(fields: Pairs) -> list[str]:
    return [f"{name}: {value}" for name, value in fields]


def chunks(parts: tuple[bytes, ...], trailers: Pairs) -> bytes:
    end = "\r\n".join(["0", *texts(trailers), "", ""]).encode("latin-1")
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + end


def answer_of_http2(say: Say) -> h2_origin.Script:
    """Say it in HTTP/2."""

    async def script(call: h2_origin.Call) -> None:
        await call.body()
        for status, fields in say.interim:
            call.head(status, *raw(fields))
        bare = say.status in (204, 304)
        length = [("content-length", str(len(say.body)))] if say.counted and not bare else []
        silent = bare or dict(call.request.fields)[":method"] == "HEAD"
        over = silent or not (say.parts or say.trailers)
        call.head(say.status, *length, *raw(say.fields), end=over)
        if over:
            return
        for part in say.parts:
            await call.data(part)
        if say.trailers:
            call.trailers(*raw(say.trailers))
        else:
            await call.data(b"", end=True)

    return script


def raw(fields: Pairs) -> Any:
    """As bytes: `h2` would make UTF-8 of them."""
    return [(name.encode(), value.encode("latin-1")) for name, value in fields]


# Clients.


class Way(NamedTuple):
    """How a client asks. version: 1 or 2."""

    name: str
    version: int
    secure: bool


WAYS = (Way("http/1.1", 1, False), Way("https, http/1.1", 1, True), Way("h2c", 2, False), Way("h2", 2, True))


def written(ask: Ask, host: str) -> bytes:
    """The request in HTTP/1.1."""
    te = any(name == "te" for name, _ in ask.fields)
    lines = [f"{ask.method} {ask.target} HTTP/1.1", f"host: {host}", *texts(ask.fields), *(["connection: te"] if te else [])]
    if ask.crumbs:
        lines.append("cookie: " + "; ".join(ask.crumbs))
    if ask.parts is None:
        lines += ["content-length: 0"] if ask.method in WITH_A_LENGTH else []
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
    lines.append(f"content-length: {len(ask.body)}" if ask.counted else "transfer-encoding: chunked")
    head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
    return head + (ask.body if ask.counted else chunks(ask.parts, ask.trailers))


def ask_http1(client: Client, ask: Ask, host: str) -> Seen:
    client.send(written(ask, host))
    answer = client.response(ask.method)
    interim = tuple((each.status, named(each.fields)) for each in answer.interim)
    return Seen((str(answer.status),), named(answer.fields), answer.body, named(answer.trailers), interim, answer.complete)


def ask_http2(client: Http2Client, ask: Ask, host: str) -> Seen:
    fields = [*ask.fields, *(("cookie", crumb) for crumb in ask.crumbs)]
    counted = [("content-length", str(len(ask.body)))] if ask.parts is not None and ask.counted else []
    # an empty body without a length has an empty frame, which says that there could have been more
    number = client.begin(host, ask.target, ask.method, fields=latin_1([*counted, *fields]), end=ask.parts is None)
    for at, part in enumerate(ask.parts or ()):
        client.upload(number, part, end=at == len(ask.parts or ()) - 1 and not ask.trailers)
    if ask.trailers:
        client.h2.send_headers(number, latin_1(ask.trailers), end_stream=True)
        client.flush()
    elif ask.parts == ():
        client.upload(number, b"", end=True)
    answer = client.answer(number)
    assert answer.ended or answer.reset is not None
    del client.answers[number]
    interim = tuple((status, named(each)) for status, each in answer.interim)
    return Seen((str(answer.status),), named(answer.fields), bytes(answer.body), named(answer.trailers), interim, answer.reset in (None, 0))


def latin_1(fields: Iterable[tuple[str, str]]) -> Any:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields]


class Stand:
    """One Haystack, an endpoint of each version behind it, and a client of each way, which goes on while its connection does."""

    def __init__(self, folder: Path, loop: Loop, **settings: str) -> None:
        self.old = Origin(loop, origin.respond()).start()
        self.new = h2_origin.H2Origin(loop, h2_origin.respond()).start()
        self.authority = Authority(folder)
        (folder / "certs").mkdir()
        self.authority.write(folder / "certs", "inside", "*.services.haystack")
        members = [Member("old", self.old.port), Member("new", self.new.port, {"haystack.protocol": "h2c"})]
        own = {"HAYSTACK_H2C": "on", "HAYSTACK_CERTS": str(folder / "certs"), "HAYSTACK_MAX_HEADERS": "60"}
        self.haystack = Haystack(members, **(own | settings))
        self._clients: dict[Way, Client | Http2Client] = {}

    def client(self, way: Way, name: str) -> Client | Http2Client:
        """A new one."""
        if not way.secure:
            return Client(self.haystack.port) if way.version == 1 else Http2Client(self.haystack.port)
        context = self.context(way)
        return TlsClient(self.https, context, name) if way.version == 1 else Http2Client(self.https, context, name)

    @property
    def https(self) -> int:
        return int(self.haystack.wait("ready")["https"])

    def context(self, way: Way) -> ssl.SSLContext:
        context = trusting(self.authority.path)
        context.set_alpn_protocols(["h2"] if way.version == 2 else ["http/1.1"])
        return context

    def ask(self, way: Way, ask: Ask, service: str = HOSTS["http1"]) -> Seen:
        """What its client gets."""
        host = ask.authority.format(service, upper=service.upper())
        client = self._clients.pop(way, None) or self.client(way, service)
        try:
            got = ask_http1(client, ask, host) if isinstance(client, Client) else ask_http2(client, ask, host)
        except BaseException:
            client.socket.close()
            raise
        over = client.ended or got.fields.get("connection") == ("close",) if isinstance(client, Client) else bool(client.goaways)
        if over or not got.whole:
            client.socket.close()
        else:
            self._clients[way] = client
        return got

    def exchange(self, kind: str, way: Way, ask: Ask, say: Say) -> tuple[Seen | None, Seen]:
        """What the endpoint saw of the request (None: it saw none), and its client of the answer."""
        self.old.requests.clear()
        self.new.requests.clear()
        self.old.script, self.new.script = answer_of_http1(say), answer_of_http2(say)
        got = self.ask(way, ask, HOSTS[kind])
        if kind == "http1":
            return (seen_by_http1(self.old.requests[-1]) if self.old.requests else None), got
        return (seen_by_http2(self.new.requests[-1]) if self.new.requests else None), got

    def close(self) -> None:
        for client in self._clients.values():
            client.socket.close()
        self.old.stop()
        self.new.stop()


@contextmanager
def stand(folder: Path, loop: Loop, **settings: str) -> Iterator[Stand]:
    made = Stand(folder, loop, **settings)
    try:
        with made.haystack:
            yield made
    finally:
        made.close()


# What may differ.


class Difference(NamedTuple):
    """Something that two ways have to say differently. even: the message without it."""

    section: str
    what: str
    even: Callable[[Seen], Seen]


def without(*names: str) -> Callable[[Seen], Seen]:
    return lambda seen: seen._replace(fields={name: values for name, values in seen.fields.items() if name not in names})


def versionless(seen: Seen) -> Seen:
    """The last Via, which is ours, without the version of what was received."""
    *others, last = seen.fields["via"]
    return seen._replace(fields=seen.fields | {"via": (*others, last[last.index(" ") :])})


def anonymous(seen: Seen) -> Seen:
    """Without an X-Request-Id like those that are made here."""
    (identity,) = seen.fields["x-request-id"][:1]
    return without("x-request-id")(seen) if len(identity) == MADE and set(identity) <= set("0123456789abcdef") else seen


def timeless(seen: Seen) -> Seen:
    return seen._replace(fields=seen.fields | {"date": ("then",)} if len(seen.fields.get("date", ())) == 1 else seen.fields)


OF_REQUESTS = (
    Difference("RFC 9110, 7.6.3", "Via says in which version the request came", versionless),
    Difference("RFC 7239, 4", "X-Forwarded-Proto and -Port say how it came", without("x-forwarded-proto", "x-forwarded-port")),
    Difference("no RFC", "each request without an X-Request-Id gets another one", anonymous),
)
OF_ANSWERS = (
    Difference("RFC 9113, 8.2.2", "HTTP/2 has no fields of its connection", without(*HOPS)),
    Difference("RFC 9110, 6.6.1", "a Date that is made here is the second at which that was", timeless),
)
# Between endpoints of both versions, beside the above.
OF_ENDPOINTS = (
    Difference("RFC 9113, 8.1", "HTTP/2's frames say where a body ends, and it has no fields of its connection", without(*HOPS)),
    Difference("no RFC", "here they are of two services, each with a name of its own", without("host", "x-forwarded-host", "via")),
)
OF_THEIR_ANSWERS = (
    Difference("RFC 9110, 6.6.2", "Trailer goes on with a body in chunks alone", without("trailer")),
    Difference(
        "RFC 9110, 8.6",
        "one that ends with its head in HTTP/2 has the length 0, which can't be told of one in chunks",
        without("content-length"),
    ),
)


def evened(seen: Seen, *tables: tuple[Difference, ...]) -> Seen:
    """Without what may differ."""
    for difference in (each for table in tables for each in table):
        seen = difference.even(seen)
    return seen

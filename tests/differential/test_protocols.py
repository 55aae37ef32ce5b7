"""The same request by HTTP/1.1 and by HTTP/2, with TLS and without: it reaches an endpoint alike, and the same answer its client.

What one way refuses, the others refuse too. The tables of protocols.py and REFUSED name all that may differ, with the RFC's section.
HAYSTACK_TEST_EXAMPLES=N: N times as many cases, and new ones each time.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from hyperframe.frame import DataFrame, HeadersFrame
from hypothesis import HealthCheck, example, given, settings

from tests.differential.messages import HOSTS, Ask, Say, asks, says
from tests.differential.protocols import (
    OF_ANSWERS,
    OF_ENDPOINTS,
    OF_REQUESTS,
    OF_THEIR_ANSWERS,
    WAYS,
    Seen,
    Stand,
    Way,
    evened,
    named,
    stand,
)
from tests.fakes import origin
from tests.fakes.client import Client
from tests.fakes.http2 import Rude
from tests.fakes.origin import Loop, respond_and_close
from tests.fakes.worker import fakes

__all__ = ["fakes"]

TIMES = int(os.environ.get("HAYSTACK_TEST_EXAMPLES", "0"))
MADE = settings(
    max_examples=120 * max(1, TIMES), deadline=None, derandomize=not TIMES, suppress_health_check=[HealthCheck.too_slow, *HealthCheck]
)
WEB = HOSTS["http1"]
MALFORMED = -1  # a reset with PROTOCOL_ERROR (RFC 9113, section 8.1.1)
CUT = -2  # and with INTERNAL_ERROR


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, fakes: Loop) -> Iterator[Stand]:
    with stand(tmp_path_factory.mktemp("both"), fakes, HAYSTACK_MAX_HEAD="16384") as made:
        yield made


def assert_same(found: dict[Any, Seen | None]) -> None:
    """All of them."""
    first, *others = found.items()
    for name, seen in others:
        assert seen == first[1], f"{name} differs from {first[0]}"


LENGTHY = (b"a" * 70_000,)


@MADE
@given(asks(), says())
@example(Ask("GET", "/"), Say(200, parts=(b"ok",)))
@example(
    Ask("POST", "/", parts=LENGTHY, counted=False, trailers=(("x-sum", "1"),)),
    Say(200, parts=LENGTHY, counted=False, trailers=(("x-sum", "1"),)),
)
@example(Ask("POST", "/", parts=(), counted=False, trailers=(("x-sum", "1"),)), Say(200, counted=False, trailers=(("x-sum", "1"),)))
@example(Ask("POST", "/", parts=(), counted=False), Say(200, counted=False))
@example(Ask("PUT", "/", parts=()), Say(200, counted=False, ends=True))
@example(Ask("HEAD", "/", crumbs=("a=1", "b=2")), Say(200, parts=(b"ok",)))
@example(Ask("HEAD", "/"), Say(200, parts=(b"ok",), counted=False))
@example(Ask("GET", "/", fields=(("te", "trailers"), ("x-a", "1"), ("x-b", "2"), ("x-a", "3"))), Say(304, fields=(("etag", '"x"'),)))
@example(Ask("GET", "/"), Say(200, interim=((103, (("link", "<a>"),)), (103, (("link", "<b>"),)))))
@example(Ask("GET", "/"), Say(200, fields=(("set-cookie", "a=1"), ("x-a", "1"), ("set-cookie", "b=2"))))
def test_a_valid_request_and_its_answer_are_the_same_on_all_ways(both: Stand, ask: Ask, say: Say) -> None:
    kinds = {}
    for kind in HOSTS:
        found = {way.name: both.exchange(kind, way, ask, say) for way in WAYS}
        requests = {name: evened(seen, OF_REQUESTS) for name, (seen, _) in found.items() if seen is not None}
        assert len(requests) == len(WAYS), found
        answers = {name: evened(got, OF_ANSWERS) for name, (_, got) in found.items()}
        assert_same(requests)
        assert_same(answers)
        kinds[kind] = requests["h2"], answers["h2"]
        as_meant(ask, say, HOSTS[kind], *kinds[kind])
    assert_same({kind: evened(seen, OF_ENDPOINTS) for kind, (seen, _) in kinds.items()})
    assert_same({kind: evened(got, OF_THEIR_ANSWERS) for kind, (_, got) in kinds.items()})


def as_meant(ask: Ask, say: Say, host: str, seen: Seen, got: Seen) -> None:
    """What goes on as it is."""
    assert seen.first == (ask.method, ask.target)
    assert seen.fields["host"] == (ask.authority.format(host, upper=host.upper()),)
    assert seen.fields.get("cookie", ()) == (("; ".join(ask.crumbs),) if ask.crumbs else ())
    assert seen.body == ask.body
    for name in ("x-a", "content-type", "te"):
        assert seen.fields.get(name, ()) == named(ask.fields).get(name, ())
    assert got.first == (str(say.status),)
    assert got.body == (b"" if ask.method == "HEAD" else say.body)
    assert got.whole
    assert got.fields.get("set-cookie", ()) == named(say.fields).get("set-cookie", ())
    assert [status for status, _ in got.interim] == [status for status, _ in say.interim]


# What is refused.


class Refused(NamedTuple):
    """A request that is not for an endpoint: in HTTP/1.1 up to its last field, in HTTP/2 the pairs, and what each is answered.

    section: of the RFC by which the statuses differ, where they do. A reset is a status below zero. either: what HTTP/1.1 has is right in
    HTTP/2, and so is a reset: nghttp2 gives one from some version on.
    """

    line: bytes
    fields: bytes
    pairs: tuple[tuple[str, str], ...]
    old: int
    new: int | None = None
    section: str = ""
    either: bool = False


def refused(
    method: str = "GET",
    target: str = "/",
    host: str | None = WEB,
    *fields: tuple[str, str],
    old: int,
    new: int | None = None,
    section: str = "",
    either: bool = False,
) -> Refused:
    """The same in both versions, with an id that its answer has too."""
    fields = (*fields, ("x-request-id", "7"))
    lines = [*([f"Host: {host}"] if host is not None else []), *(f"{name}: {value}" for name, value in fields)]
    head = [(":method", method), (":scheme", "http"), *([(":authority", host)] if host is not None else []), (":path", target)]
    line = f"{method} {target} HTTP/1.1\r\n".encode("latin-1")
    return Refused(line, "".join(f"{each}\r\n" for each in lines).encode("latin-1"), (*head, *fields), old, new, section, either)


NO_LINE = "RFC 9113, 8.3.1: there is no request line, whose length would have a status of its own"
STREAM = "RFC 9113, 8.1.1: what is malformed is an error of its stream"
NO_FIELDS = "RFC 9113, 8.2.2: a field of the connection is malformed"
REFUSED = {
    "an unknown host": refused(host="nobody.services.haystack", old=404),
    "no host": refused(host=None, old=400, new=MALFORMED, section=STREAM),
    "a user in the host": refused("GET", "/", f"me@{WEB}", old=400, either=True),
    "a path in the host": refused("GET", "/", f"{WEB}/x", old=400, new=MALFORMED, section=STREAM),
    "two hosts": Refused(
        b"GET / HTTP/1.1\r\n",
        f"Host: {WEB}\r\nHost: {WEB}\r\n".encode(),
        ((":method", "GET"), (":scheme", "http"), (":path", "/"), ("host", WEB), ("host", WEB)),
        400,
        MALFORMED,
        STREAM,
    ),
    "CONNECT": Refused(
        b"CONNECT a:443 HTTP/1.1\r\n",
        b"Host: a:443\r\nx-request-id: 7\r\n",
        ((":method", "CONNECT"), (":authority", "a:443"), ("x-request-id", "7")),
        501,
    ),
    "an asterisk": refused("GET", "*", old=400, new=MALFORMED, section=STREAM),
    "a path without a slash": refused("GET", "x", old=400, new=MALFORMED, section=STREAM),
    "a fragment": refused("GET", "/a#b", old=400),
    "bytes in the path": refused("GET", "/\xe4", old=400),
    "a blank in the path": refused("GET", "/a b", old=400, new=MALFORMED, section=STREAM),
    "a long method": refused("M" * 33, old=400),
    "a bad method": refused("G(T", old=400, new=MALFORMED, section=STREAM),
    "NUL in a value": refused("GET", "/", WEB, ("x-a", "1\0"), old=400, new=MALFORMED, section=STREAM),
    "a blank in a name": refused("GET", "/", WEB, ("x a", "1"), old=400, new=MALFORMED, section=STREAM),
    "a length that is none": refused("POST", "/", WEB, ("content-length", "+1"), old=400, new=MALFORMED, section=STREAM),
    "two lengths": refused("POST", "/", WEB, ("content-length", "0"), ("content-length", "0"), old=400, new=MALFORMED, section=STREAM),
    "an unknown coding": refused("POST", "/", WEB, ("transfer-encoding", "gzip, chunked"), old=501, new=MALFORMED, section=NO_FIELDS),
    "a long head": refused("GET", "/", WEB, ("x-a", "x" * 17_000), old=431),
    "many fields": refused("GET", "/", WEB, *((f"x-{n}", "1") for n in range(70)), old=431),
    "a long path": refused("GET", "/" + "x" * 17_000, old=414, new=431, section=NO_LINE),
    "TRACE that goes no further": refused("TRACE", "/", WEB, ("max-forwards", "0"), old=501),
    "OPTIONS that goes no further": refused("OPTIONS", "/", WEB, ("max-forwards", "0"), old=200),
    "a number that is none": refused("OPTIONS", "/", WEB, ("max-forwards", "x"), old=400),
    "an unknown host, for a program": refused("GET", "/", "a.services.haystack", ("accept", "application/json"), old=404),
    "an unknown host, for a browser": refused("GET", "/", "a.services.haystack", ("accept", "text/html"), old=404),
    "HEAD of an unknown host": refused("HEAD", "/", "a.services.haystack", old=404),
}


def by_http1(both: Stand, way: Way, case: Refused) -> tuple[int, Seen]:
    """On a connection of its own."""
    with both.client(way, WEB) as client:
        assert isinstance(client, Client)
        client.send(case.line + case.fields + b"\r\n")
        answer = client.response(case.pairs[0][1])
        return answer.status, Seen((str(answer.status),), named(answer.fields), answer.body)


def by_http2(both: Stand, way: Way, case: Refused) -> tuple[int, Seen | None]:
    where = (both.https, both.context(way), WEB) if way.secure else (both.haystack.port,)
    with Rude(*where) as client:
        client.send(HeadersFrame(1, client.encoder.encode(latin(case.pairs)), flags=["END_HEADERS", "END_STREAM"]))
        status = client.status(1)
        if status < 0:
            return status, None
        fields = [(name, value) for name, value in client.sections[1][0].items() if name != ":status"]
        return status, Seen((str(status),), named(fields), client.body(1))


def latin(pairs: tuple[tuple[str, str], ...]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs]


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED.keys())
def test_what_one_refuses_the_other_refuses_too(both: Stand, case: Refused) -> None:
    both.old.requests.clear()
    found = {way: by_http1(both, way, case) if way.version == 1 else by_http2(both, way, case) for way in WAYS}
    for way, (status, _) in found.items():
        resets = case.either and way.version != 1 and status == MALFORMED
        assert resets or status == (case.old if way.version == 1 or case.new is None else case.new), way
    assert not both.old.requests
    assert bool(case.section) == (case.new not in (None, case.old))
    for secure in (False, True):
        told = {way.name: evened(seen, OF_ANSWERS) for way, (_, seen) in found.items() if seen is not None and way.secure == secure}
        if not case.section:
            assert_same(told)


def test_an_empty_host_is_good_in_http1_alone(both: Stand) -> None:
    """RFC 9112, section 3.2: it is that of a target without an authority, and Haystack's own; RFC 9113, 8.3.1: malformed."""
    case = refused(host="", old=307, new=MALFORMED, section=STREAM)
    assert by_http1(both, WAYS[0], case)[0] == case.old
    assert by_http2(both, WAYS[2], case)[0] == case.new


def test_a_request_that_came_round_is_refused_on_all_ways(both: Stand) -> None:
    seen, _ = both.exchange("http1", WAYS[0], Ask("GET", "/"), Say(200))
    assert seen is not None
    loop = Ask("GET", "/", fields=(("via", seen.fields["via"][0]), ("x-request-id", "7")))
    got = {way.name: evened(both.exchange("http1", way, loop, Say(200))[1], OF_ANSWERS) for way in WAYS}
    assert_same(got)
    assert got["h2"].first == ("508",)


@pytest.mark.parametrize("trailer", [b"a b: 1", b"x-a 1", b"x-a: 1\0"])
def test_a_bad_trailer_section_is_refused_on_all_ways(both: Stand, trailer: bytes) -> None:
    """RFC 9113, section 8.1.1: in HTTP/2 it is an error of its stream, or its field is left out."""
    both.old.script = origin.respond()
    with both.client(WAYS[0], WEB) as client:
        client.send(f"POST / HTTP/1.1\r\nHost: {WEB}\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n".encode() + trailer + b"\r\n\r\n")
        assert client.response().status == 400
    name, _, value = trailer.partition(b": ")
    with Rude(both.haystack.port) as client:
        client.send(client.head(WEB, method="POST", end=False), DataFrame(1, b"a"))
        client.send(HeadersFrame(1, client.encoder.encode([(name, value)]), flags=["END_HEADERS", "END_STREAM"]))
        assert client.status(1) == (MALFORMED if b" " in name or b"\0" in value else 200)


# What endpoints do wrong.

WRONG = {
    "garbage": b"\x16\x03\x01garbage\r\n\r\n",
    "another version": b"HTTP/2.0 200 OK\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
    "a length and chunks": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "an unknown coding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
    "a control in a value": b"HTTP/1.1 200 OK\r\nX-A: \1\r\n\r\n",
    "a blank in a name": b"HTTP/1.1 200 OK\r\nX A: 1\r\n\r\n",
    "a 101 that nobody asked for": b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
    "a head that is too large": b"HTTP/1.1 200 OK\r\nX-A: " + b"x" * 70_000 + b"\r\n\r\n",
    "no end of its head": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n",
    "nothing": b"",
}
CUT_OFF = {
    "its length": b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 40_000,
    "a chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9000\r\n" + b"x" * 0x9000 + b"\r\n10\r\nwo",
}
ONCE = Ask("POST", "/", fields=(("x-request-id", "7"),), parts=(b"once",))


def asked(both: Stand, data: bytes) -> dict[str, Seen]:
    """What each client gets where the endpoint says this, and closes."""
    both.old.script = respond_and_close(data)
    return {way.name: evened(both.ask(way, ONCE), OF_ANSWERS) for way in WAYS}


@pytest.mark.parametrize("data", WRONG.values(), ids=WRONG.keys())
def test_a_bad_answer_is_the_same_error_on_all_ways(both: Stand, data: bytes) -> None:
    got = asked(both, data)
    assert_same(got)
    assert got["h2"].first == ("502",)
    assert got["h2"].whole


@pytest.mark.parametrize("data", CUT_OFF.values(), ids=CUT_OFF.keys())
def test_a_broken_answer_is_seen_as_one_on_all_ways(both: Stand, data: bytes) -> None:
    """By the end of the connection within a body, or by the reset of its stream (RFC 9113, section 8.1)."""
    got = asked(both, data)
    assert_same(got)
    assert got["h2"].first == ("200",)
    assert not got["h2"].whole

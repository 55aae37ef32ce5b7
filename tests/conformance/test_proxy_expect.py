"""Expect: 100-continue: the origin decides, and nobody waits for nothing (RFC 9110, section 10.1.1)."""

from __future__ import annotations

import pytest

from tests.fakes.normal import requests
from tests.fakes.origin import OK, Call, Origin, respond
from tests.fakes.worker import Site, host

HEAD = "POST / HTTP/{version}\r\nHost: {host}\r\nContent-Length: 4\r\nExpect: {expect}\r\n\r\n"
REFUSED = b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n"


def head(name: str, version: str = "1.1", expect: str = "100-continue") -> bytes:
    return HEAD.format(host=name, version=version, expect=expect).encode()


def refuse(answer: bytes) -> object:
    """Answer without reading the body, and keep the connection."""

    async def script(call: Call) -> None:
        await call.send(answer)

    return script


def whole(origin: Origin) -> list[bool]:
    return [each.whole for wire in origin.wire for each in requests(bytes(wire))]


async def agree(call: Call) -> None:
    assert call.request.fields("expect") == ["100-continue"]
    await call.send(b"HTTP/1.1 100 Continue\r\nX-Interim: yes\r\n\r\n")
    await respond()(call)


@pytest.mark.parametrize("framing", ["Content-Length: 4", "Transfer-Encoding: chunked"])
def test_the_origin_agrees(site: Site, framing: str) -> None:
    """Section 10.1.1: the proxy forwards the expectation, 100 comes back, the body follows, and the connection goes on."""
    name, origin = site.one(agree)
    body = b"body" if "Length" in framing else b"4\r\nbody\r\n0\r\n\r\n"
    with site.client() as client:
        for _ in range(3):
            client.send(head(name).replace(b"Content-Length: 4", framing.encode()))
            assert client._until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\nX-Interim: yes"
            assert client.send(body).response().body == b"ok"
    assert [request.body for request in origin.requests] == [b"body"] * 3
    assert origin.connections == 1


@pytest.mark.parametrize("status", [417, 413, 401, 503, 200, 302])
def test_the_origin_answers_without_the_body(site: Site, status: int) -> None:
    """Section 10.1.1: the final status goes through at once; RFC 9112, section 9.3: what may or may not come is no next request."""
    name, origin = site.one(refuse(REFUSED.replace(b"417", b"%d" % status)))
    with site.client() as client:
        response = client.send(head(name)).response()
        assert (response.status, response.interim, response.get("connection")) == (status, [], "close")
        client.send(b"GET /smuggled HTTP/1.1\r\n\r\n")
        assert client.closed()
    assert len(origin.requests) == 1
    origin.script = respond()
    with site.client() as client:
        assert client.get(name).status == 200
    assert origin.connections == 2, "that connection owes four bytes: nobody may use it"


def test_the_origin_ignores_it(site: Site) -> None:
    """Section 10.1.1: a client must not wait for ever, and sends its body after a while; the origin reads and answers."""
    name, origin = site.one(respond())
    with site.client() as client:
        for _ in range(2):
            client.send(head(name))
            with site.client() as other:
                assert other.get("localhost", "/healthz").status == 200
            assert client.send(b"bo", b"dy").response().body == b"ok"
    assert [request.body for request in origin.requests] == [b"body"] * 2


def test_the_client_does_not_wait(site: Site) -> None:
    """Section 10.1.1: head and body in one piece; a 100 that comes late is passed on all the same."""
    name, origin = site.one(agree)
    with site.client() as client:
        response = client.send(head(name) + b"body").response()
        assert (response.status, [each.status for each in response.interim]) in ((200, [100]), (200, []))
        assert client.get("localhost", "/healthz").status == 200
    assert origin.requests[0].body == b"body"


def test_an_http_1_0_client_is_sent_no_100(site: Site) -> None:
    """Sections 10.1.1 and 15.2: the expectation of an HTTP/1.0 request is ignored, and 1xx never sent to it."""

    async def pedantic(call: Call) -> None:
        if call.request.fields("expect"):
            await call.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        await respond()(call)

    name, origin = site.one(pedantic)
    with site.client() as client:
        assert client.send(head(name, version="1.0") + b"body").rest().startswith(b"HTTP/1.1 200 ")
    assert origin.requests[0].body == b"body"


@pytest.mark.parametrize(("name", "status"), [("nowhere.services.haystack", 404), (host("refusing"), 502)])
def test_an_error_of_haystacks_own_comes_at_once(site: Site, name: str, status: int) -> None:
    """Section 10.1.1: a final status instead of 100, and the connection ends, for the body may be on its way."""
    with site.client() as client:
        response = client.send(head(name)).response()
        assert (response.status, response.interim, response.get("connection")) == (status, [], "close")
        assert client.send(b"body").closed()


@pytest.mark.parametrize("expect", ["100-Continue", "100-CONTINUE"])
def test_it_is_case_insensitive(site: Site, expect: str) -> None:
    """Section 10.1.1."""
    name, origin = site.one(respond())
    with site.client() as client:
        assert client.send(head(name, expect=expect) + b"body").response().status == 200
    assert origin.requests[0].fields("expect") == [expect]


def test_another_expectation_is_the_origins_to_meet_or_refused(site: Site) -> None:
    """Section 10.1.1: 417 where it can't be met; never silently dropped on its way to one who might know it."""
    name, origin = site.one(respond())
    with site.client() as client:
        status = client.send(head(name, expect="200-ok") + b"body").response().status
    assert status == 417 or origin.requests[0].fields("expect") == ["200-ok"]


def test_the_body_of_a_refused_request_is_never_sent_up_as_a_request(site: Site) -> None:
    """RFC 9112, section 11.2: head first, answer, then the body: the origin has seen the head, and perhaps all of the body."""
    name, origin = site.one(refuse(OK))
    with site.client() as client:
        client.send(head(name).replace(b": 4", b": 40"))
        assert client.response().status == 200
        client.send(b"GET /smuggled HTTP/1.1\r\nHost: a.b.c\r\n\r\n").rest()
    assert whole(origin) == [False]

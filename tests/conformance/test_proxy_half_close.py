"""A client that has said all it will say still reads: it gets every byte of its answers (RFC 9112, section 9.6)."""

from __future__ import annotations

import hashlib
import os
import threading

import pytest

from tests.fakes.client import Client
from tests.fakes.normal import requests
from tests.fakes.origin import OK, Loop, Origin, chunked, held, pieces, respond, respond_and_close
from tests.fakes.worker import Haystack, Member, Site, host, until

LARGE = os.urandom(1 << 20) * 6
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(LARGE) + LARGE


def get(name: str, version: str = "1.1") -> bytes:
    return f"GET / HTTP/{version}\r\nHost: {name}\r\n\r\n".encode()


SCRIPTS = {
    "length": (respond(OK), b"ok"),
    "chunked": (chunked(b"hello ", b"world"), b"hello world"),
    "until close": (respond_and_close(b"HTTP/1.1 200 OK\r\n\r\nthe end"), b"the end"),
    "in pieces": (pieces(b"HTTP/1.1 200 OK\r\nContent-", b"Length: 4\r\n\r\n", b"ab", b"cd"), b"abcd"),
}


@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize(("script", "body"), SCRIPTS.values(), ids=SCRIPTS.keys())
def test_a_half_closed_client_gets_its_answer(site: Site, script: object, body: bytes, version: str) -> None:
    """Section 9.6: the end of its sending side is no end of its interest."""
    name, _ = site.one(script)
    with site.client() as client:
        response = client.send(get(name, version)).half_close().response()
        assert (response.status, response.body, response.complete) == (200, body, True)
        assert client.closed()


def test_a_half_closed_client_gets_a_response_that_comes_late(site: Site) -> None:
    """Section 9.6: the end is seen while the origin still thinks."""
    gate = threading.Event()
    name, origin = site.one(held(gate))
    with site.client() as client, site.client() as other:
        client.send(get(name)).half_close()
        until(lambda: origin.requests, 9, "the request never arrived")
        assert other.get("localhost", "/healthz").status == 200
        gate.set()
        assert client.response().body == b"ok"
        assert client.closed()


@pytest.mark.parametrize("script", [respond(WHOLE), chunked(LARGE), respond_and_close(b"HTTP/1.1 200 OK\r\n\r\n" + LARGE)])
def test_and_all_of_a_large_one_however_slowly_it_reads(site: Site, script: object) -> None:
    """Section 9.6: the tail that waits in the proxy when the origin has gone is not lost."""
    name, origin = site.one(script)
    with site.client(timeout=10, small_window=True) as client:
        client.send(get(name)).half_close()
        until(lambda: origin.requests, 9, "the request never arrived")
        response = client.response()
        assert response.complete
        assert hashlib.sha256(response.body).digest() == hashlib.sha256(LARGE).digest()
        assert client.closed()


def test_an_error_reaches_it_too(site: Site) -> None:
    """RFC 9110, section 15.6: Haystack's own answers as well."""
    for name, status in (("nowhere.services.haystack", 404), (host("refusing"), 502)):
        with site.client() as client:
            assert client.send(get(name)).half_close().response().status == status
            assert client.closed()


def test_a_body_that_is_sent_whole_counts(site: Site) -> None:
    """RFC 9112, section 6.3: the framing ends the body, not the close."""
    name, origin = site.one()
    with site.client() as client:
        client.send(f"POST / HTTP/1.1\r\nHost: {name}\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n".encode()).half_close()
        assert client.response().status == 200
    assert origin.requests[0].body == b"body"


@pytest.mark.parametrize("framing", [b"Content-Length: 10\r\n\r\nhalf", b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"])
def test_a_body_that_breaks_off_is_no_request(site: Site, framing: bytes) -> None:
    """RFC 9112, section 8: incomplete: the origin must not take it for whole, the client gets 400 or the end."""
    name, origin = site.one()
    with site.client() as client:
        client.send(f"POST / HTTP/1.1\r\nHost: {name}\r\n".encode() + framing).half_close()
        assert client.rest()[:12] in (b"", b"HTTP/1.1 400")
    with site.client() as client:
        assert client.get(name).status == 200
    assert [each.whole for wire in origin.wire for each in requests(bytes(wire))] in ([False, True], [True])


def test_a_drained_worker_sends_the_tail_of_a_large_answer(fakes: Loop) -> None:
    """Product: SIGTERM finishes what is in flight: here all of it lies in the proxy, for a client that reads slowly."""
    origin = Origin(fakes, respond(WHOLE)).start()
    with Haystack([Member("web", origin.port)]) as haystack, Client(haystack.port, timeout=10, small_window=True) as client:
        client.send(get(host("web"))).half_close()
        until(lambda: origin.requests, 9, "the request never arrived")
        haystack.terminate()
        response = client.response()
    origin.stop()
    assert response.complete
    assert hashlib.sha256(response.body).digest() == hashlib.sha256(LARGE).digest()

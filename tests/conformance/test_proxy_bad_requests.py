"""Requests that are not requests: each gets its error and nothing else, and the process lives on (RFC 9112)."""

from __future__ import annotations

import pytest

from tests.fakes.client import Client
from tests.fakes.processes import children
from tests.fakes.worker import Site, descriptors, until

HOST = b"Host: one0.services.haystack\r\n"
GET = b"GET / HTTP/1.1\r\n"

BAD = {
    "garbage, section 3": b"\x00\x01\x02 what is this\r\n\r\n",
    "a TLS hello, section 3": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "no target, section 3": b"GET\r\n\r\n",
    "no version, section 3": b"GET /\r\n" + HOST + b"\r\n",
    "space in target, section 3.2": b"GET /a b HTTP/1.1\r\n" + HOST + b"\r\n",
    "bad version, section 2.3": b"GET / HTTP/x.1\r\n" + HOST + b"\r\n",
    "no Host, section 3.2": GET + b"Accept: */*\r\n\r\n",
    "two Hosts, section 3.2": GET + HOST + HOST + b"\r\n",
    "invalid Host, section 3.2": GET + b"Host: a b\r\n\r\n",
    "space before colon, section 5.1": GET + HOST + b"Accept : */*\r\n\r\n",
    "obs-fold, section 5.2": GET + HOST + b"X-Folded: a\r\n b\r\n\r\n",
    "space before first field, section 2.2": GET + b" " + HOST + b"\r\n",
    "bare CR in a field, section 2.2": GET + HOST + b"X-Bare: a\rb\r\n\r\n",
    "NUL in a field, RFC 9110 section 5.5": GET + HOST + b"X-Nul: a\0b\r\n\r\n",
    "no colon, section 5": GET + HOST + b"nonsense\r\n\r\n",
    "empty field name, section 5": GET + HOST + b": x\r\n\r\n",
    "length and chunked, section 6.1": GET + HOST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "length not a number, section 6.3": GET + HOST + b"Content-Length: 3x\r\n\r\nabc",
    "signed length, RFC 9110 section 8.6": GET + HOST + b"Content-Length: +3\r\n\r\nabc",
    "negative length, RFC 9110 section 8.6": GET + HOST + b"Content-Length: -3\r\n\r\nabc",
    "two lengths that differ, section 6.3": GET + HOST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    "huge length, RFC 9110 section 8.6": GET + HOST + b"Content-Length: " + b"9" * 40 + b"\r\n\r\n",
    "chunked not last, section 6.3": GET + HOST + b"Transfer-Encoding: chunked, gzip\r\n\r\n",
    "chunked with HTTP/1.0, section 6.1": b"GET / HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("request_", BAD.values(), ids=BAD.keys())
def test_bad_request_is_400_and_closes(site: Site, request_: bytes) -> None:
    """The section is in the case's name: of RFC 9112 unless it says another."""
    with site.client() as client:
        response = client.send(request_).response()
        assert response.status == 400
        assert response.get("connection") == "close"
        assert client.closed()


@pytest.mark.parametrize("request_", [BAD["two Hosts, section 3.2"], BAD["obs-fold, section 5.2"]])
def test_bad_request_is_400_byte_by_byte(site: Site, request_: bytes) -> None:
    """RFC 9112, section 2.2: how the bytes are cut says nothing."""
    with site.client() as client:
        assert client.send(*(bytes([b]) for b in request_)).response().status == 400


def test_head_of_70_kb_is_431(site: Site) -> None:
    """RFC 6585, section 5; RFC 9112, section 3."""
    with site.client() as client:
        field = b"X-Big: " + b"x" * 70_000 + b"\r\n"
        assert client.send(GET + HOST + field + b"\r\n").response().status == 431


def test_target_of_70_kb_is_414_or_431(site: Site) -> None:
    """RFC 9112, section 3: 414 for a target longer than the server wishes to parse."""
    with site.client() as client:
        assert client.send(b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n").response().status in (414, 431)


def test_empty_connection_is_closed_in_silence(site: Site) -> None:
    """RFC 9112, section 9.5: a client may close at any time."""
    with site.client() as client:
        assert client.half_close().closed()


def test_empty_lines_before_the_request_line_are_ignored(site: Site) -> None:
    """RFC 9112, section 2.2."""
    host, _ = site.one()
    with site.client() as client:
        client.send(b"\r\n\r\n" + GET + b"Host: " + host.encode() + b"\r\n\r\n")
        assert client.response().status == 200


def test_truncated_head_ends_with_400_or_silence(site: Site) -> None:
    """RFC 9112, section 8: an incomplete request is an error that may be answered before closing."""
    with site.client() as client:
        client.send(GET + HOST[:-6]).half_close()
        assert client.closed() or client.response().status == 400


def test_bad_chunk_size_is_never_taken_for_a_whole_body(site: Site) -> None:
    """RFC 9112, section 7.1: the connection can't be used on, and upstream must not see a complete request."""
    host, origin = site.one()
    with site.client() as client:
        client.send(b"POST / HTTP/1.1\r\nHost: " + host.encode() + b"\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n")
        assert client.response().status == 400
        assert client.closed()
    assert all(request.body == b"" for request in origin.requests)


def test_two_hundred_bad_requests_leak_no_descriptor(site: Site) -> None:
    """Each connection's descriptor goes back when it ends, whoever ends it (RFC 9112, section 9.6)."""
    (worker,) = site.haystack.workers()
    before = _steady(site, worker)
    requests = list(BAD.values())
    for number in range(200):
        with site.client() as client:
            client.send(requests[number % len(requests)])
            if number % 3:
                client.response()
    until(lambda: descriptors(worker) <= before, 9, f"{before} descriptors grew for good")
    assert site.haystack.process.poll() is None
    assert worker in children(site.haystack.process.pid)


def _steady(site: Site, worker: int) -> int:
    """Descriptors when no client is connected: those that earlier tests left to close are waited for."""
    with Client(site.port) as client:
        client.get("localhost", "/healthz")
    seen = [descriptors(worker), -1]
    until(lambda: _settled(seen, worker), 9, "the number of descriptors never came to rest")
    return seen[0]


def _settled(seen: list[int], worker: int) -> bool:
    """Ten equal counts in a row."""
    count = descriptors(worker)
    seen[1] = seen[1] + 1 if count == seen[0] else 0
    seen[0] = count
    return seen[1] >= 10

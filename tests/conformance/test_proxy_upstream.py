"""What happens when an endpoint misbehaves, and how its connections are reused (RFC 9110, sections 9.2.2 and 15.6)."""

from __future__ import annotations

import pytest

from tests.fakes.origin import close_after, respond, respond_and_close
from tests.fakes.worker import Site, host

POST = "POST / HTTP/1.1\r\nHost: {}\r\nContent-Length: 4\r\n\r\nbody"


def test_refused_connection_is_tried_elsewhere(site: Site) -> None:
    """RFC 9110, section 9.2.2: nothing was sent, so any method may go to another endpoint."""
    with site.client() as client:
        assert [client.get(host("half")).status for _ in range(10)] == [200] * 10
        answers = [client.send(POST.format(host("half")).encode()).response().status for _ in range(10)]
    assert answers == [200] * 10


def test_all_refused_is_502_and_says_why(site: Site) -> None:
    """RFC 9110, section 15.6.3; RFC 9209, section 2.3 (connection_refused)."""
    with site.client() as client:
        response = client.get(host("refusing"))
        assert response.status == 502
        assert "connection_refused" in (response.get("proxy-status") or "")
        assert client.get(host("refusing")).status in (502, 503), "the connection goes on"


def test_upstream_connection_is_reused(site: Site) -> None:
    """RFC 9112, section 9.3: a connection persists over requests, of different clients too."""
    name, origin = site.one()
    for _ in range(3):
        with site.client() as client:
            assert [client.get(name).status for _ in range(5)] == [200] * 5
    assert len(origin.requests) == 15
    assert origin.connections == 1


def test_connection_that_upstream_closes_is_not_reused(site: Site) -> None:
    """RFC 9112, section 9.6: after Connection: close no request follows on it."""
    name, origin = site.one(respond_and_close(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"))
    with site.client() as client:
        answers = [client.get(name) for _ in range(3)]
    assert [answer.status for answer in answers] == [200] * 3
    assert origin.connections == 3
    assert all(answer.get("connection") != "close" for answer in answers), "hop-by-hop: it is not our client's matter"


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
def test_stale_pooled_connection_is_retried(site: Site, method: str) -> None:
    """RFC 9112, section 9.3.1: an idempotent request on a connection that closed may be sent again."""
    name, origin = site.one(close_after(1))
    with site.client() as client:
        assert [client.get(name, method=method).status for _ in range(10)] == [200] * 10
    assert len(origin.requests) == 10


def test_request_that_was_sent_is_retried_only_if_idempotent(site: Site) -> None:
    """RFC 9110, section 9.2.2: a proxy must not automatically retry a non-idempotent request."""
    name, origin = site.one(respond_and_close())
    with site.client() as client:
        assert client.send(POST.format(name).encode()).response().status == 502
    assert len(origin.requests) == 1


def test_idempotent_request_is_retried_on_another_endpoint(site: Site) -> None:
    """RFC 9110, section 9.2.2."""
    name, (bad, good) = site.pair(respond_and_close(), respond())
    with site.client() as client:
        assert [client.get(name).status for _ in range(10)] == [200] * 10
    assert len(good.requests) == 10
    assert bad.connections >= 0


def test_close_before_the_answer_is_502(site: Site) -> None:
    """RFC 9110, section 15.6.3; RFC 9209, section 2.3 (connection_terminated)."""
    name, _ = site.one(respond_and_close())
    with site.client() as client:
        response = client.get(name)
    assert response.status == 502
    assert response.get("proxy-status")


PARTS = {
    "content-length": b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nonly this",
    "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nonly this\r\n",
}


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS.keys())
def test_close_within_the_body_is_seen_as_truncation(site: Site, part: bytes) -> None:
    """RFC 9112, section 8: the client must be able to tell an incomplete message from a whole one."""
    name, _ = site.one(respond_and_close(part))
    with site.client() as client:
        response = client.get(name)
        assert (response.status, response.body, response.complete) == (200, b"only this", False)
        assert client.closed()


INVALID = {
    "garbage, section 4": b"what is this\r\n\r\n",
    "bad status, section 4": b"HTTP/1.1 2x0 OK\r\nContent-Length: 0\r\n\r\n",
    "status below 100, section 4": b"HTTP/1.1 099 Low\r\nContent-Length: 0\r\n\r\n",
    "bad length, section 6.3": b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
    "two lengths that differ, section 6.3": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nok",
    "NUL in a field, RFC 9110 section 5.5": b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n",
    "70 KB head, section 3": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000 + b"\r\nContent-Length: 0\r\n\r\n",
    "truncated head, section 8": b"HTTP/1.1 200 OK\r\nContent-Le",
}


@pytest.mark.parametrize("answer", INVALID.values(), ids=INVALID.keys())
def test_invalid_response_is_502(site: Site, answer: bytes) -> None:
    """RFC 9110, section 15.6.3: an invalid response from the inbound server. The case names the section it breaks."""
    name, _ = site.one(respond_and_close(answer))
    with site.client() as client:
        response = client.get(name)
        assert response.status == 502
        assert response.get("proxy-status")


def test_bytes_after_the_answer_are_nobodys_answer(site: Site) -> None:
    """RFC 9112, section 9.3: what follows a response unasked must not answer the next request."""
    smuggled = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
    name, _ = site.one(respond(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" + smuggled))
    with site.client() as client:
        assert [client.get(name).body for _ in range(3)] == [b"ok"] * 3

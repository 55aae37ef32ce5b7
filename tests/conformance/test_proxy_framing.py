"""Where a message ends, both ways: Content-Length, chunked, close, none; and what follows it (RFC 9112, sections 6, 7, 9)."""

from __future__ import annotations

import pytest

from tests.fakes.origin import Call, chunked, inform, pieces, respond, respond_and_close
from tests.fakes.worker import Site

LENGTH_5 = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"


async def echo(call: Call) -> None:
    """Answer with the request's body."""
    body = await call.body()
    await call.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


def post(host: str, body: bytes) -> bytes:
    return b"POST / HTTP/1.1\r\nHost: %b\r\nContent-Length: %d\r\n\r\n" % (host.encode(), len(body)) + body


def test_answer_to_head_has_length_and_no_body(site: Site) -> None:
    """RFC 9112, section 6.3, rule 1: whatever the fields say, and the connection goes on."""
    host, _ = site.one(respond(LENGTH_5))
    with site.client() as client:
        for _ in range(2):
            response = client.get(host, method="HEAD")
            assert (response.status, response.get("content-length")) == (200, "5")


@pytest.mark.parametrize("status", [204, 304])
def test_204_and_304_have_no_body(site: Site, status: int) -> None:
    """RFC 9112, section 6.3, rule 1."""
    length = b"Content-Length: 5\r\n" if status == 304 else b""
    host, _ = site.one(respond(b"HTTP/1.1 %d Quiet\r\n%b\r\n" % (status, length)))
    with site.client() as client:
        assert [client.get(host).status for _ in range(2)] == [status, status]


def test_http_1_0_closes_after_the_answer(site: Site) -> None:
    """RFC 9112, section 9.3: HTTP/1.0 persists only when asked."""
    host, _ = site.one()
    with site.client() as client:
        response = client.send(f"GET / HTTP/1.0\r\nHost: {host}\r\n\r\n".encode()).response()
        assert (response.status, response.body) == (200, b"ok")
        assert client.closed()


def test_http_1_0_keep_alive_goes_on(site: Site) -> None:
    """RFC 9112, sections 9.3 and C.2.2."""
    host, _ = site.one()
    with site.client() as client:
        for _ in range(2):
            response = client.send(f"GET / HTTP/1.0\r\nHost: {host}\r\nConnection: keep-alive\r\n\r\n".encode()).response()
            assert response.status == 200
            assert (response.get("connection") or "").lower() == "keep-alive"


def test_http_1_0_client_gets_chunked_answer_unchunked(site: Site) -> None:
    """RFC 9112, section 6.1: no Transfer-Encoding to a client below 1.1; the end is the close."""
    host, _ = site.one(chunked(b"hello ", b"world"))
    with site.client() as client:
        response = client.send(f"GET / HTTP/1.0\r\nHost: {host}\r\n\r\n".encode()).response()
    assert response.get("transfer-encoding") is None
    assert response.body == b"hello world"


def test_connection_close_is_honoured(site: Site) -> None:
    """RFC 9112, section 9.6."""
    host, _ = site.one()
    with site.client() as client:
        response = client.get(host, extra=b"Connection: close\r\n")
        assert response.get("connection") == "close"
        assert client.closed()


@pytest.mark.parametrize("whole", [True, False], ids=["whole", "byte by byte"])
def test_chunked_request_arrives(site: Site, whole: bool) -> None:
    """RFC 9112, section 7.1, with an extension and a trailer."""
    host, origin = site.one()
    data = b"POST / HTTP/1.1\r\nHost: %b\r\nTransfer-Encoding: chunked\r\n\r\n" % host.encode()
    data += b"5;ext=1\r\nhello\r\n6\r\n world\r\n0\r\nX-Trailer: 1\r\n\r\n"
    with site.client() as client:
        client.send(*([data] if whole else [bytes([b]) for b in data]))
        assert client.response().status == 200
        assert client.get(host).status == 200, "what follows is the next request"
    assert origin.requests[0].body == b"hello world"


def test_chunked_response_arrives(site: Site) -> None:
    """RFC 9112, section 7.1."""
    host, _ = site.one(chunked(b"hello", b" ", b"world", trailer=b"X-Trailer: 1\r\n"))
    with site.client() as client:
        for _ in range(2):
            response = client.get(host)
            assert (response.body, response.complete) == (b"hello world", True)


def test_response_in_single_bytes_arrives(site: Site) -> None:
    """RFC 9112, section 2.1: a message is a sequence of octets, however it is cut."""
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    host, _ = site.one(pieces(*(bytes([b]) for b in answer), gap=0))
    with site.client() as client:
        assert client.get(host).body == b"abc"


def test_body_until_close_arrives(site: Site) -> None:
    """RFC 9112, section 6.3, rule 8: no length at all means until the end of the connection."""
    host, _ = site.one(respond_and_close(b"HTTP/1.1 200 OK\r\n\r\nuntil the end"))
    with site.client() as client:
        response = client.get(host)
    assert (response.body, response.complete) == (b"until the end", True)


def test_pipelined_requests_are_answered_in_order(site: Site) -> None:
    """RFC 9112, section 9.3.2."""
    host, _ = site.one(echo)
    with site.client() as client:
        client.send(b"".join(post(host, b"number %d" % n) for n in range(20)))
        assert [client.response().body for _ in range(20)] == [b"number %d" % n for n in range(20)]


def test_informational_responses_come_before_the_final_one(site: Site) -> None:
    """RFC 9110, section 15.2: a proxy forwards 1xx, and the final response follows."""
    host, _ = site.one(inform(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"))
    with site.client() as client:
        response = client.get(host)
    assert (response.status, [i.status for i in response.interim]) == (200, [103])


def test_expect_100_continue(site: Site) -> None:
    """RFC 9110, section 10.1.1: 100 before the body, from the origin or in its place; the body then arrives."""
    host, origin = site.one(_continue)
    head = f"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
    with site.client() as client:
        client.send(head.encode())
        assert client._until(b"\r\n\r\n").startswith(b"HTTP/1.1 100")  # type: ignore[union-attr]
        response = client.send(b"body").response()
    assert response.status == 200
    assert origin.requests[0].body == b"body"


async def _continue(call: Call) -> None:
    if call.request.fields("expect"):
        await call.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    await respond()(call)

"""HTTP/1.0 on either side: framed so that it understands, kept open only where it asked (RFC 9112, sections 6.1, 9.3 and C.2.2)."""

from __future__ import annotations

import pytest

from tests.fakes.client import Client
from tests.fakes.origin import Call, chunked, respond, respond_and_close
from tests.fakes.worker import Site


def old(name: str, *lines: str, method: str = "GET", body: bytes = b"") -> bytes:
    return (f"{method} / HTTP/1.0\r\nHost: {name}\r\n" + "".join(line + "\r\n" for line in lines) + "\r\n").encode() + body


def test_a_request_is_sent_on_as_1_1(site: Site) -> None:
    """RFC 9110, section 2.5: an intermediary sends its own version."""
    name, origin = site.one()
    with site.client() as client:
        assert client.send(old(name)).response().version == "HTTP/1.1"
    assert origin.requests[0].line == "GET / HTTP/1.1"


def test_a_body_of_1_0_needs_a_length(site: Site) -> None:
    """RFC 9112, sections 6.1 and 6.3, rule 7: with it the body goes on, without it there is none."""
    name, origin = site.one()
    with site.client() as client:
        assert client.send(old(name, "Content-Length: 4", method="POST", body=b"body")).response().status == 200
    with site.client() as client:
        assert client.send(old(name, method="POST", body=b"body")).response().status == 200
        assert client.closed()
    assert [request.body for request in origin.requests] == [b"body", b""]


@pytest.mark.parametrize("option", ["keep-alive", "Keep-Alive", "x, KEEP-ALIVE"])
def test_keep_alive_persists(site: Site, option: str) -> None:
    """RFC 9112, section 9.3: HTTP/1.0 with keep-alive, answered with keep-alive, in any case and place of the list."""
    name, _ = site.one()
    with site.client() as client:
        for _ in range(3):
            response = client.send(old(name, f"Connection: {option}")).response()
            assert (response.body, response.get("connection")) == (b"ok", "keep-alive")
        assert client.send(old(name)).response().get("connection") in (None, "close")
        assert client.closed()


def test_close_beside_keep_alive_wins(site: Site) -> None:
    """RFC 9112, section 9.3: close is looked at first."""
    name, _ = site.one()
    for version in ("1.0", "1.1"):
        with site.client() as client:
            client.send(f"GET / HTTP/{version}\r\nHost: {name}\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n".encode())
            assert client.response().status == 200
            assert client.closed()


@pytest.mark.parametrize("script", [chunked(b"hello ", b"world"), respond_and_close(b"HTTP/1.1 200 OK\r\n\r\nhello world")])
def test_a_body_without_length_ends_with_the_connection(site: Site, script: object) -> None:
    """RFC 9112, sections 6.1 and 6.3, rule 8: no chunked to 1.0, so no keep-alive either, asked for or not."""
    name, _ = site.one(script)
    with site.client() as client:
        response = client.send(old(name, "Connection: keep-alive")).response()
        assert response.get("transfer-encoding") is None
        assert response.get("connection") in (None, "close")
        assert response.body == b"hello world"


def test_head_and_204_persist(site: Site) -> None:
    """RFC 9112, sections 6.3 and 9.3: these are self-delimiting in 1.0 too."""

    async def script(call: Call) -> None:
        head = call.request.line.startswith("HEAD")
        await call.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" if head else b"HTTP/1.1 204 None\r\n\r\n")

    name, _ = site.one(script)
    with site.client() as client:
        for method in ("HEAD", "GET", "HEAD"):
            response = client.send(old(name, "Connection: keep-alive", method=method)).response(method)
            assert response.status == (200 if method == "HEAD" else 204)
            assert response.get("connection") == "keep-alive"


def test_a_body_cut_short_does_not_look_whole(site: Site) -> None:
    """RFC 9112, section 8: where the close ends the body, a failure must not end it the same way."""
    name, _ = site.one(respond_and_close(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nonly this\r\n"))
    with site.client() as client:
        client.send(old(name))
        assert b"".join(iter(lambda: bytes_or_reset(client), b"RST"))[-9:] == b"only this"


def bytes_or_reset(client: Client) -> bytes:
    """What comes next; RST for a reset, and never a plain end."""
    try:
        data = client.socket.recv(4096)
    except ConnectionResetError:
        return b"RST"
    assert data, "this end looks like the end of a whole body"
    return data


def test_no_host_is_not_an_error_of_1_0(site: Site) -> None:
    """RFC 9112, section 3.2: Host is required of HTTP/1.1; what 1.0 means without one is ours to choose, not to stumble over."""
    with site.client() as client:
        response = client.send(b"GET /healthz HTTP/1.0\r\n\r\n").response()
        assert response.status in (200, 400, 404)
        assert client.closed()


def test_an_old_origin_without_keep_alive_is_not_reused(site: Site) -> None:
    """RFC 9112, section 9.3: an HTTP/1.0 response without keep-alive ends its connection, whatever the origin's socket does."""
    name, origin = site.one(respond(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"))
    with site.client() as client:
        for _ in range(3):
            response = client.get(name)
            assert (response.version, response.body, response.get("connection")) == ("HTTP/1.1", b"ok", None)
    assert origin.connections == 3


def test_an_old_origin_with_keep_alive_is_reused(site: Site) -> None:
    """RFC 9112, section 9.3."""
    name, origin = site.one(respond(b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\nok"))
    with site.client() as client:
        assert [client.get(name).body for _ in range(3)] == [b"ok"] * 3
    assert origin.connections == 1


def test_the_end_of_an_old_origins_body_is_the_last_chunk_of_ours(site: Site) -> None:
    """RFC 9112, sections 6.1 and 9.3: the 1.1 client's connection goes on."""
    name, origin = site.one(respond_and_close(b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\nuntil the end"))
    with site.client() as client:
        for _ in range(3):
            response = client.get(name)
            assert (response.body, response.complete, response.get("transfer-encoding")) == (b"until the end", True, "chunked")
    assert origin.connections == 3

"""A client whose upload is refused early reads why, though it looks up only when it has sent all (RFC 9112, section 9.6)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.fakes.client import Client, Response
from tests.fakes.origin import Call
from tests.fakes.waiting import pause
from tests.fakes.worker import Site, host, until

MIB = 1 << 20
MOST = 256 * MIB
TOO_LARGE = b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 9\r\n\r\ntoo large"


async def refuses(call: Call) -> None:
    await call.send(TOO_LARGE)
    call.keep = False


def begin(client: Client, name: str, size: int) -> None:
    client.send(f"POST / HTTP/1.1\r\nHost: {name}\r\nContent-Length: {size}\r\n\r\n".encode())


def slowly(size: int, seconds: float) -> Iterator[bytes]:
    """So many bytes in the course of so many seconds."""
    for _ in range(20):
        pause(seconds / 20)
        yield b"x" * (size // 20)


def sent_whole(client: Client, name: str, size: int, seconds: float) -> Response:
    """The answer, which is read when all has been sent."""
    begin(client, name, size)
    for piece in slowly(size, seconds):
        client.send(piece)
    return client.response()


@pytest.mark.parametrize("status", [404, 413, 502])
def test_the_answer_waits_until_a_slow_client_has_sent_all(site: Site, status: int) -> None:
    """nginx's lingering_time: an own answer (no such name, nobody there) and an endpoint's; a reset would take it away."""
    name = {404: "nowhere.services.haystack", 413: site.one(refuses)[0], 502: host("refusing")}[status]
    with site.client() as client:
        answer = sent_whole(client, name, 4 * MIB, 4.0)
        assert (answer.status, answer.complete) == (status, True)
        assert client.half_close().closed()


def test_one_that_sends_nothing_more_is_closed_after_five_seconds(site: Site) -> None:
    """nginx's lingering_timeout: a byte after three seconds is welcome, one after a further seven meets a reset."""
    with site.client() as client:
        begin(client, "nowhere.services.haystack", 4 * MIB)
        assert client.response().status == 404
        assert client.closed(), "the end of what Haystack sends"
        pause(3.0)
        client.send(b"x")
        pause(1.0)
        client.send(b"x")
        pause(7.0)
        client.send(b"x")
        with pytest.raises(OSError, match=r"Broken pipe|reset"):
            until(lambda: client.send(b"x") is None, 9, "its connection is still there")


def test_what_is_dropped_is_bounded(site: Site) -> None:
    """nginx has no such bound: one client could keep a worker reading for half a minute."""
    piece, sent = b"x" * MIB, 0
    with site.client(timeout=20) as client, suppress(OSError):
        begin(client, "nowhere.services.haystack", 1 << 40)
        while sent < 2 * MOST:
            client.send(piece)
            sent += MIB
    assert MOST <= sent < MOST + 64 * MIB

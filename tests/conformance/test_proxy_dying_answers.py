"""An endpoint that dies within a small answer: nothing of it has gone down, so another one is asked (RFC 9110, section 9.2.2)."""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from itertools import count

import pytest

from tests.fakes.client import Client
from tests.fakes.origin import OK, Call, Script, inform, pieces, respond
from tests.fakes.worker import Site

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
HELD = 0.05  # seconds that a head waits for a small body, as in http1_client.pyx
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwhole"


def dies(*parts: bytes, reset: bool = False) -> Script:
    """Send these apart, and die."""

    async def script(call: Call) -> None:
        await call.body()
        for part in parts:
            await call.send(part)
            await asyncio.sleep(0)
        if reset:
            call.reset()
        call.keep = False

    return script


@pytest.mark.parametrize("reset", [False, True], ids=["FIN", "RST"])
@pytest.mark.parametrize("parts", [(HEAD,), (HEAD, b"who"), (HEAD + b"w", b"hol")], ids=["head", "half", "pieces"])
def test_an_answer_is_had_elsewhere_when_its_endpoint_dies_within_it(site: Site, parts: tuple[bytes, ...], reset: bool) -> None:
    name, (bad, good) = site.pair(dies(*parts, reset=reset), respond(WHOLE))
    with site.client() as client:
        for _ in range(12):
            answer = client.get(name)
            assert (answer.status, answer.body, answer.complete) == (200, b"whole", True)
    assert bad.requests, "the one that dies was never asked"
    assert len(good.requests) == 12


def test_many_rounds_in_which_every_eighth_answer_is_an_endpoints_last(site: Site) -> None:
    """No client notices, and each client's connection lives on."""
    dying = count()

    async def now_and_then(call: Call) -> None:
        await call.body()
        if next(dying) % 8:
            await call.send(WHOLE)
        else:
            await call.send(HEAD)
            await call.send(b"w")
            call.keep = False

    name, origins = site.pair(now_and_then, now_and_then)
    with site.client() as client:
        for _ in range(300):
            answer = client.get(name)
            assert (answer.status, answer.body, answer.complete) == (200, b"whole", True)
    assert sum(len(origin.requests) for origin in origins) == 300 + (next(dying) + 7) // 8


def test_what_may_not_be_repeated_is_a_502_and_no_broken_answer(site: Site) -> None:
    """RFC 9110, section 15.6.3: nothing had gone down, so the client can be told."""
    name, origins = site.pair(dies(HEAD, b"who"), dies(HEAD, b"who"))
    with site.client() as client:
        answer = client.get(name, method="POST", extra=b"Content-Length: 0\r\n")
        assert (answer.status, answer.complete) == (502, True)
        assert "error=http_response_incomplete" in (answer.get("proxy-status") or "")
        assert client.get("nowhere.services.haystack").status == 404, "the client's connection lives on"
    assert sum(len(origin.requests) for origin in origins) == 1


def segments(client: Client) -> int:
    """Segments with data that have come so far (tcpi_data_segs_in): one for each of Haystack's writes, however late they are read."""
    info = client.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 160)
    return int.from_bytes(info[152:156], sys.byteorder)


def test_a_small_answer_that_comes_in_pieces_goes_down_in_one(site: Site) -> None:
    """On a busy machine the endpoint may take longer than the head waits: then that goes down alone. Mostly it does not."""
    name, _ = site.one(pieces(HEAD[:20], HEAD[20:], b"wh", b"ole", gap=0.003))
    with site.client() as client:

        def came_in_one() -> bool:
            before = segments(client)
            assert client.get(name).body == b"whole"
            return segments(client) == before + 1

        assert any(all(came_in_one() for _ in range(3)) for _ in range(100))


@pytest.mark.parametrize("size", [30_000, 40_000, 500_000])
def test_larger_ones_in_pieces_arrive_as_they_are(site: Site, size: int) -> None:
    body = bytes(range(250)) * (size // 250)
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
    name, origin = site.one(pieces(head + body[:7], body[7:9000], body[9000:-1], body[-1:], gap=0.005))
    with site.client() as client:
        for _ in range(3):
            answer = client.get(name)
            assert answer.complete
            assert answer.body == body
    assert origin.connections == 1


def test_a_slow_small_answer_is_not_held_until_it_is_whole(site: Site) -> None:
    """Its head goes down while the rest has still to come."""
    read = asyncio.Event()

    async def script(call: Call) -> None:
        await call.body()
        await call.send(HEAD)
        await read.wait()
        await call.send(b"who")
        await call.send(b"le")

    async def tell() -> None:
        read.set()

    name, origin = site.one(script)
    with site.client() as client:
        client.send(f"GET / HTTP/1.1\r\nHost: {name}\r\n\r\n".encode())
        assert client.socket.recv(65536).endswith(b"\r\n\r\n")
        origin.loop.run(tell())
        assert client.take(5) == b"whole"
        assert client.get(name).body == b"whole"


def test_a_head_without_a_body_waits_for_nothing(site: Site) -> None:
    """RFC 9112, section 6.3: HEAD, 204 and 304 have none, whatever Content-Length says."""

    async def script(call: Call) -> None:
        status = call.request.line.split()[1].strip("/")
        await call.send(b"HTTP/1.1 %b X\r\nContent-Length: 5\r\n\r\n" % status.encode())

    name, _ = site.one(script)
    with site.client() as client:
        begun = time.monotonic()
        for _ in range(100):
            assert client.get(name, "/200", method="HEAD").status == 200
            assert client.get(name, "/304").status == 304
        assert time.monotonic() - begun < 200 * HELD, "each of them waited"


def test_interim_responses_go_down_at_once_before_an_answer_that_is_held(site: Site) -> None:
    """RFC 9110, section 15.2: they are the client's already, and the answer behind them is held all the same."""
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    name, _ = site.one(dies(hints + HEAD, b"wh"))
    with site.client() as client:
        client.send(f"GET / HTTP/1.1\r\nHost: {name}\r\n\r\n".encode())
        answer = client.response()
        assert [each.status for each in answer.interim] == [103]
        assert (answer.status, answer.complete) == (502, True)
    name, _ = site.one(inform(hints, final=OK))
    with site.client() as client:
        assert client.get(name).body == b"ok"


def test_bytes_behind_an_answer_that_was_held_are_nobodys(site: Site) -> None:
    """RFC 9112, section 9.2: they never begin the next answer."""
    name, origin = site.one(pieces(HEAD, b"who", b"le" + OK.replace(b"ok", b"no"), gap=0.01))
    with site.client() as client:
        for _ in range(3):
            assert client.get(name).body == b"whole"
    assert origin.connections == 3

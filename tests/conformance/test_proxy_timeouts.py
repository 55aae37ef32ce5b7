"""An endpoint or a client that takes too long gets an end that says so (RFC 9110, sections 15.5.9 and 15.6.5)."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from tests.fakes.client import Client, Response
from tests.fakes.origin import OK, Call, Loop, Origin, never, respond
from tests.fakes.worker import Haystack, Member, host

LIMIT = 0.3
LABEL = {"haystack.timeout": "300ms"}
LONG, STEPS, STEP = 2.0, 10, 0.25  # a limit, and steps that are far from it one by one, and beyond it together
LONGER = {"haystack.timeout": f"{LONG:g}s"}


@dataclass
class Slow:
    """A Haystack with services `slow` and `drips` (their origin does as told), `deaf` (nobody ever accepts) and `deafpair` (one of two)."""

    haystack: Haystack
    origin: Origin
    good: Origin

    def client(self) -> Client:
        return Client(self.haystack.port)


def full(stack: ExitStack) -> int:
    """A port whose queue of connections is full: the kernel drops every further attempt, as a dead host does."""
    listener = stack.enter_context(socket.socket())
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    while True:
        filler = stack.enter_context(socket.socket())
        filler.settimeout(0.1)
        try:
            filler.connect(listener.getsockname())
        except TimeoutError:
            return int(listener.getsockname()[1])


@pytest.fixture(scope="module")
def slow(fakes: Loop) -> Iterator[Slow]:
    origin, good = Origin(fakes, never()).start(), Origin(fakes, respond()).start()
    with ExitStack() as stack:
        deaf = full(stack)
        members = [Member("slow", origin.port, LABEL), Member("drips", origin.port, LONGER)]
        members += [Member("deaf", deaf), Member("deafpair", deaf), Member("deafpair", good.port)]
        yield Slow(stack.enter_context(Haystack(members)), origin, good)
    origin.stop()
    good.stop()


def timed(client: Client, service: str = "slow", **request: str) -> tuple[Response, float]:
    began = time.monotonic()
    return client.get(host(service), **request), time.monotonic() - began


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_endpoint_that_never_answers_is_504_and_says_why(slow: Slow, method: str) -> None:
    """RFC 9110, section 15.6.5; RFC 9209, section 2.3 (http_response_timeout); the label haystack.timeout."""
    slow.origin.script = never()
    before = len(slow.origin.requests)
    with slow.client() as client:
        response, seconds = timed(client, method=method)
        assert response.status == 504
        assert "error=http_response_timeout" in (response.get("proxy-status") or "")
        assert seconds >= LIMIT  # its client waits for 8 s, and without the label it would take longer
        slow.origin.script = respond()
        assert client.get(host("drips")).status == 200, "the client's connection goes on"
    assert len(slow.origin.requests) == before + 2, "it was sent, so it is not sent again (RFC 9110, section 9.2.2)"


def test_a_client_that_waits_for_100_is_not_blamed_for_an_endpoint_that_never_says_it(slow: Slow) -> None:
    """RFC 9110, section 10.1.1: it is the endpoint's turn."""
    slow.origin.script = never()
    with slow.client() as client:
        fields = b"Content-Length: 4\r\nExpect: 100-continue\r\n"
        response = client.get(host("slow"), extra=fields, method="PUT")
        assert (response.status, "error=http_response_timeout" in (response.get("proxy-status") or "")) == (504, True)


def take_slowly(listener: socket.socket, size: int) -> None:
    """An endpoint: of a body of so many bytes it takes three MB in three seconds, then the rest, and answers."""
    taken = 0
    with listener.accept()[0] as sock:
        while taken < size:
            data = sock.recv(50_000)
            assert data, "it is given up"
            taken += len(data)
            time.sleep(0.05 if taken < 3_000_000 else 0)
        sock.sendall(OK)


def test_an_endpoint_that_takes_a_body_slowly_is_given_time() -> None:
    """A kernel's buffers hold megabytes: one that is emptied all the time has room to tell of once in a while only."""
    size = 8_000_000
    with socket.socket() as listener, ThreadPoolExecutor() as pool:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        pool.submit(take_slowly, listener, size)
        with Haystack([Member("web", listener.getsockname()[1], {"haystack.timeout": "1s"})]) as haystack, Client(haystack.port) as client:
            client.send(f"PUT / HTTP/1.1\r\nHost: {host('web')}\r\nContent-Length: {size}\r\n\r\n".encode(), bytes(size))
            assert client.response().status == 200


def test_a_client_that_stops_within_its_body_is_408(slow: Slow) -> None:
    """RFC 9110, section 15.5.9: the endpoint is not blamed for what its client did not send."""
    slow.origin.script = never()
    with slow.client() as client:
        client.send(f"PUT / HTTP/1.1\r\nHost: {host('slow')}\r\nContent-Length: 10\r\n\r\nhalf".encode())
        assert client.response().status == 408
        assert client.closed()


@pytest.mark.parametrize("framing", [b"Content-Length: 10\r\n\r\nhalf", b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", b"\r\nhalf"])
def test_an_endpoint_that_stops_within_its_body_is_cut(slow: Slow, framing: bytes) -> None:
    """RFC 9112, section 8: the head is sent, so the client sees an answer that is not whole, and soon."""

    async def stop(call: Call) -> None:
        await call.send(b"HTTP/1.1 200 OK\r\n" + framing)
        await call.reader.read()
        call.keep = False

    slow.origin.script = stop
    with slow.client() as client:
        response, seconds = timed(client)
        assert response.body == b"half"
        assert not response.complete or client.ended
        assert seconds >= LIMIT  # its client waits for 8 s, and without the label it would take longer


def test_an_endpoint_that_stops_within_its_head_is_504(slow: Slow) -> None:
    """RFC 9209, section 2.3: half a head is no answer; nor are interim ones an answer in time (RFC 9110, section 15.6.5)."""

    async def stop(call: Call) -> None:
        await call.send(b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nX: ")
        await call.reader.read()
        call.keep = False

    slow.origin.script = stop
    with slow.client() as client:
        response, seconds = timed(client)
        assert (response.status, len(response.interim)) == (504, 1)
        assert seconds >= LIMIT  # its client waits for 8 s, and without the label it would take longer


def test_an_answer_longer_than_the_limit_that_never_rests_is_whole(slow: Slow) -> None:
    """Product: haystack.timeout is for silence; a stream may go on for ever."""

    async def drip(call: Call) -> None:
        await call.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % STEPS)
        for _ in range(STEPS):
            await asyncio.sleep(STEP)
            await call.send(b"x")

    slow.origin.script = drip
    with slow.client() as client:
        response, seconds = timed(client, "drips")
        assert (response.body, response.complete) == (b"x" * STEPS, True)
        assert seconds > LONG


def test_a_body_longer_than_the_limit_that_never_rests_is_whole(slow: Slow) -> None:
    """Product: the same, the other way; the endpoint's time begins when it has all of the request."""
    slow.origin.script = respond()
    with slow.client() as client:
        client.send(f"PUT / HTTP/1.1\r\nHost: {host('drips')}\r\nContent-Length: {200 * STEPS}\r\n\r\n".encode())
        for _ in range(STEPS):
            time.sleep(STEP)
            client.send(b"x" * 200)
        assert client.response().status == 200
    assert slow.origin.requests[-1].body == b"x" * 200 * STEPS


def test_an_endpoint_that_does_not_accept_is_504(slow: Slow) -> None:
    """RFC 9110, section 15.6.5; RFC 9209, section 2.3 (connection_timeout)."""
    with slow.client() as client:
        response = client.get(host("deaf"))
        assert response.status == 504
        assert "error=connection_timeout" in (response.get("proxy-status") or "")


def test_another_endpoint_answers_for_one_that_does_not_accept(slow: Slow) -> None:
    """Design rule 4: nothing was sent, so any method may go elsewhere."""
    slow.good.script = respond(OK)
    with ExitStack() as stack:
        clients = [stack.enter_context(slow.client()) for _ in range(6)]
        for client in clients:
            client.send(f"POST / HTTP/1.1\r\nHost: {host('deafpair')}\r\nContent-Length: 4\r\n\r\nbody".encode())
        assert [client.response().status for client in clients] == [200] * 6


@pytest.mark.parametrize(("setting", "least"), [("200ms", 0.2), ("1500ms", 1.5)])
def test_the_time_for_a_connection_is_a_setting(setting: str, least: float) -> None:
    """Settings: HAYSTACK_CONNECT_TIMEOUT. RFC 9209, section 2.3 (connection_timeout)."""
    with ExitStack() as stack:
        port = stack.enter_context(Haystack([Member("deaf", full(stack))], HAYSTACK_CONNECT_TIMEOUT=setting, HAYSTACK_WAIT="0")).port
        with Client(port) as client:
            began = time.monotonic()
            response = client.get(host("deaf"))
            assert (response.status, "error=connection_timeout" in (response.get("proxy-status") or "")) == (504, True)
            assert least <= time.monotonic() - began < least + 1.2

"""What is sent again, to whom, and what never is (RFC 9110, section 9.2.2; RFC 9112, section 9.3.1; design rule 4)."""

from __future__ import annotations

import os
import signal
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.fakes.client import Client
from tests.fakes.normal import Normal, requests
from tests.fakes.origin import OK, Call, Loop, Origin, close_after, held, reset, respond, respond_and_close
from tests.fakes.worker import Haystack, Member, Site, halt, host, until

SMALL, LARGE = b"body", b"x" * 300_000


def request(name: str, method: str, body: bytes | None, chunk: bool = False) -> bytes:
    head = f"{method} /x HTTP/1.1\r\nHost: {name}\r\n".encode()
    if chunk:
        return head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body or b""), body or b"")
    return head + (b"\r\n" if body is None else b"Content-Length: %d\r\n\r\n%b" % (len(body), body))


@contextmanager
def standing(site: Site) -> Iterator[None]:
    """The worker stands still meanwhile: what happens to its sockets it finds all at once."""
    (worker,) = site.haystack.workers()
    halt(worker)
    try:
        yield
    finally:
        os.kill(worker, signal.SIGCONT)


@pytest.mark.parametrize("rst", [False, True], ids=["FIN", "RST"])
@pytest.mark.parametrize(
    ("method", "body", "chunk"),
    [
        ("GET", None, False),
        ("POST", None, False),
        ("POST", SMALL, False),
        ("POST", LARGE, False),
        ("PATCH", SMALL, True),
        ("FOO", b"", False),
    ],
    ids=["GET", "POST", "POST with a body", "POST with a large one", "PATCH chunked", "FOO"],
)
def test_a_pooled_connection_that_ended_meanwhile_costs_nobody_anything(
    site: Site, method: str, body: bytes | None, chunk: bool, rst: bool
) -> None:
    """RFC 9112, section 9.3.1: the end and the next request are seen in one moment; the request goes up once, on a new connection."""
    name, origin = site.one()
    with site.client() as client:
        assert client.get(name).status == 200
        with standing(site):
            sender = threading.Thread(target=client.send, args=(request(name, method, body, chunk),))
            sender.start()
            origin.cut(reset=rst)
        sender.join(5)
        assert client.response().status == 200
    assert [each.line.split()[0] for each in origin.requests] == ["GET", method]
    assert origin.requests[1].body == (body or b"")
    assert origin.connections == 2


@pytest.mark.parametrize(("method", "body"), [("GET", None), ("PUT", SMALL), ("DELETE", None)])
def test_an_origin_that_closes_in_silence_after_each_answer(site: Site, method: str, body: bytes | None) -> None:
    """RFC 9112, section 9.3.1: whether its end is seen before the next request or behind it, each is answered."""
    name, origin = site.one(close_after(1))
    with site.client() as client:
        for _ in range(30):
            assert client.send(request(name, method, body)).response().status == 200
    assert len(origin.requests) == 30


@pytest.mark.parametrize("end", [respond_and_close(), reset()], ids=["FIN", "RST"])
@pytest.mark.parametrize(("method", "body"), [("GET", None), ("HEAD", None), ("PUT", SMALL), ("DELETE", None), ("OPTIONS", None)])
def test_an_idempotent_request_goes_to_another_endpoint(site: Site, method: str, body: bytes | None, end: object) -> None:
    """RFC 9110, section 9.2.2: the same request, all of it, under the same id; the dying endpoint is asked once at most."""
    name, (bad, good) = site.pair(end, respond())
    with site.client() as client:
        for _ in range(4):
            assert client.send(request(name, method, body)).response(method).status == 200
    assert len(good.requests) == 4
    tried = {each.fields("x-request-id")[0]: each for each in bad.requests}
    for each in good.requests:
        assert each.body == (body or b"")
        first = tried.get(each.fields("x-request-id")[0])
        assert first is None or first.head == each.head


@pytest.mark.parametrize("method", ["POST", "PATCH", "FOO"])
def test_another_method_is_not_once_an_endpoint_has_seen_it(site: Site, method: str) -> None:
    """RFC 9110, section 9.2.2: a proxy must not automatically retry a non-idempotent request."""
    name, origins = site.pair(respond_and_close(), respond_and_close())
    with site.client() as client:
        for number in range(1, 4):
            response = client.send(request(name, method, SMALL)).response()
            assert (response.status, response.get("proxy-status") is not None) == (502, True)
            assert sum(len(origin.requests) for origin in origins) == number


def test_a_body_that_was_sent_on_is_not_sent_again(site: Site) -> None:
    """Design rule 4: a large PUT is idempotent, but it is gone: 502, and never half of it elsewhere."""
    name, origins = site.pair(respond_and_close(), respond_and_close())
    with site.client() as client:
        assert client.send(request(name, "PUT", LARGE)).response().status == 502
    assert [each.body for origin in origins for each in origin.requests] == [LARGE]


def test_each_endpoint_is_tried_once(site: Site) -> None:
    """Design rule 4: always a different endpoint, and an end."""
    name, origins = site.pair(respond_and_close(), reset())
    with site.client() as client:
        response = client.get(name)
        assert response.status == 502
        assert "error=connection_terminated" in (response.get("proxy-status") or "")
    assert [len(origin.requests) for origin in origins] == [1, 1]


BEGUN = {
    "a head": b"HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n",
    "half a body": b"HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\nhal",
    "half a chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhal",
    "all but the last chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
}


@pytest.mark.parametrize("part", BEGUN.values(), ids=BEGUN.keys())
def test_an_answer_that_has_begun_is_never_begun_again(site: Site, begun: tuple[str, tuple[Origin, Origin]], part: bytes) -> None:
    """Design rule 4; RFC 9112, section 8: an answer that is seen to be cut. Small ones are held: test_proxy_dying_answers."""
    name, origins = begun
    before = sum(len(origin.requests) for origin in origins)
    for origin in origins:
        origin.script = respond_and_close(part)
    with site.client() as client:
        client.send(request(name, "GET", None))
        try:
            response = client.response()
            assert response.status == 502 or not response.complete
        except ConnectionError:
            pass
    assert sum(len(origin.requests) for origin in origins) == before + 1


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_half_a_head_is_no_answer_yet(site: Site, begun: tuple[str, tuple[Origin, Origin]], method: str) -> None:
    """Design rule 4; RFC 9110, section 9.2.2: nothing of it went down, so what may be repeated asks the other one."""
    name, origins = begun
    before = sum(len(origin.requests) for origin in origins)
    for origin in origins:
        origin.script = respond_and_close(b"HTTP/1.1 200 OK\r\nConte")
    with site.client() as client:
        response = client.send(request(name, method, b"x" if method == "POST" else None)).response()
        assert response.status == 502
        assert "error=http_response_incomplete" in (response.get("proxy-status") or "")
    assert sum(len(origin.requests) for origin in origins) == before + (2 if method == "GET" else 1)


@pytest.fixture(scope="module")
def begun(site: Site) -> tuple[str, tuple[Origin, Origin]]:
    return site.pair(respond(), respond())


@pytest.mark.parametrize("status", [408, 421, 429, 501])
def test_an_answer_is_an_answer(site: Site, begun: tuple[str, tuple[Origin, Origin]], status: int) -> None:
    """RFC 9110, section 9.2.2: an error of the request passes, and nobody else is asked. Those of an endpoint: test_proxy_sick."""
    name, origins = begun
    before = sum(len(origin.requests) for origin in origins)
    for origin in origins:
        origin.script = respond(b"HTTP/1.1 %d No\r\nContent-Length: 2\r\n\r\nno" % status)
    with site.client() as client:
        response = client.get(name)
        assert (response.status, response.body, response.get("proxy-status")) == (status, b"no", None)
    assert sum(len(origin.requests) for origin in origins) == before + 1


def test_a_large_post_to_a_service_that_refuses_by_half_arrives(site: Site) -> None:
    """Design rule 4: refused connections cost no method anything, nor a body that has begun to come."""
    with site.client() as client:
        for _ in range(6):
            assert client.send(request(host("half"), "POST", LARGE)).response().status == 200
            assert client.send(request(host("half"), "POST", SMALL, chunk=True)).response().status == 200


@pytest.mark.parametrize("rst", [False, True], ids=["FIN", "RST"])
def test_a_client_that_left_leaves_no_answer_behind(site: Site, rst: bool) -> None:
    """RFC 9112, section 9.2: the answer nobody waits for any more is nobody's answer: not the next client's."""
    gate = threading.Event()
    name, origin = site.one(held(gate, OK.replace(b"ok", b"no")))
    with Client(site.port) as client:
        client.send(request(name, "GET", None))
        until(lambda: origin.requests, 9, "the request never arrived")
        if rst:
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    origin.script = respond()
    with site.client() as other:
        other.send(request(name, "GET", None))
        assert other.response().body == b"ok"
        gate.set()
        assert [other.get(name).body for _ in range(3)] == [b"ok"] * 3


def test_a_client_that_left_within_its_body_leaves_no_half_request_behind(site: Site) -> None:
    """RFC 9112, section 8: what the origin has of it ends with its connection, and no other request follows on that."""
    name, origin = site.one(whole_or_nothing)
    with site.client() as other:
        assert other.get(name).status == 200
        for part in (request(name, "PUT", LARGE)[:-1], request(name, "PUT", SMALL, chunk=True)[:-2], request(name, "PUT", SMALL)[:-1]):
            with Client(site.port) as client:
                client.send(part)
            assert other.get(name).status == 200
    for wire in origin.wire:
        seen: list[Normal] = list(requests(bytes(wire)))
        assert all(each.whole for each in seen[:-1])
        assert all(each.whole for each in seen if each.line.startswith(b"GET"))


async def whole_or_nothing(call: Call) -> None:
    await call.body()
    await call.send(OK)


@pytest.mark.parametrize(("size", "kept"), [(1000, True), (1001, False)])
def test_how_much_of_a_body_is_kept_to_be_sent_again_is_a_setting(fakes: Loop, size: int, kept: bool) -> None:
    """HAYSTACK_KEPT_BODY; what is longer is spliced, and can't be taken back."""

    async def read_and_reset(call: Call) -> None:
        await call.body()
        await reset()(call)

    origins = [Origin(fakes, read_and_reset).start(), Origin(fakes, respond()).start()]
    members = [Member("web", origins[0].port, {"haystack.weight": "1000"}), Member("web", origins[1].port, {"haystack.weight": "0"})]
    with Haystack(members, HAYSTACK_KEPT_BODY="1000") as haystack, Client(haystack.port) as client:
        answer = client.send(request(host("web"), "PUT", b"x" * size)).response()
    assert answer.status == (200 if kept else 502)
    assert [len(each.body) for origin in origins for each in origin.requests] == [size] * (2 if kept else 1)
    for origin in origins:
        origin.stop()

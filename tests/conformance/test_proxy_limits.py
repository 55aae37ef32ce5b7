"""Each limit is a setting with a status: heads, times, pools, and connections in all and of one client."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.fakes.client import Client, Response
from tests.fakes.origin import Loop, Origin, never, respond
from tests.fakes.worker import Haystack, Member, host, until

HEAD = 2048
FIELDS = 8
SHORT, PATIENT = 0.3, 2.0
SIZES = {"HAYSTACK_MAX_HEAD": str(HEAD), "HAYSTACK_MAX_HEADERS": str(FIELDS)}
TIMES = {
    "HAYSTACK_HEAD_TIMEOUT": "300ms",
    "HAYSTACK_IDLE_TIMEOUT": "1500ms",
    "HAYSTACK_TIMEOUT": "300ms",
    "HAYSTACK_POOL_IDLE": "300ms",
}
REQUEST = f"GET / HTTP/1.1\r\nHost: {host('web')}\r\n"


@pytest.fixture(scope="module")
def origin(fakes: Loop) -> Iterator[Origin]:
    made = Origin(fakes, respond()).start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def small(origin: Origin) -> Iterator[int]:
    """The port of a Haystack with small limits of sizes."""
    with Haystack([Member("web", origin.port)], **SIZES) as haystack:
        yield haystack.port


@pytest.fixture(scope="module")
def pooled(fakes: Loop) -> Iterator[Origin]:
    """The one of the service `pooled` alone."""
    made = Origin(fakes, respond()).start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def hasty(origin: Origin, pooled: Origin) -> Iterator[int]:
    """The port of a Haystack with short times: too short for an answer of `web` on a busy machine. `patient` and `pooled` have more."""
    more = {"haystack.timeout": f"{PATIENT:g}s"}
    members = [Member("web", origin.port), Member("patient", origin.port, more), Member("pooled", pooled.port, more)]
    with Haystack(members, **TIMES) as haystack:
        yield haystack.port


@pytest.fixture
def limited(origin: Origin) -> Iterator[Any]:
    """Makes a Haystack with the settings that a test gives, before the service `web`."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(Haystack([Member("web", origin.port)], **settings))


def padded(size: int) -> bytes:
    """A request whose head has so many bytes."""
    return (REQUEST + "X: " + "x" * (size - len(REQUEST) - 7) + "\r\n\r\n").encode()


def sent(port: int, *pieces: bytes) -> Response:
    with Client(port) as client:
        return client.send(*pieces).response()


def served(client: Client, service: str = "web") -> bool:
    return client.get(host(service)).status == 200


@pytest.mark.parametrize(("size", "status"), [(HEAD - 1, 200), (HEAD, 200), (HEAD + 1, 431), (3 * HEAD, 431), (60_000, 431)])
def test_a_head_of_more_bytes_than_it_may_have_is_431(small: int, size: int, status: int) -> None:
    """RFC 6585, section 5: whole, in two pieces, and with a body and more behind it."""
    head = padded(size)
    for pieces in ([head], [head[:HEAD], head[HEAD:]], [head[:40], head[40:] + b"GET"]):
        response = sent(small, *pieces)
        assert response.status == status
        assert status == 200 or "error=http_request_error" in (response.get("proxy-status") or "")


def test_a_head_that_never_ends_is_refused_at_its_limit(small: int) -> None:
    """RFC 6585, section 5: before the end that would tell its size."""
    assert sent(small, padded(HEAD + 10)[:HEAD]).status == 431


@pytest.mark.parametrize("size", [HEAD, HEAD + 1, 3 * HEAD])
def test_a_request_line_that_alone_is_too_long_is_414(small: int, size: int) -> None:
    """RFC 9112, section 3; RFC 9110, section 15.5.15."""
    line = b"GET /" + b"a" * size
    assert sent(small, line).status == 414
    assert sent(small, line + f" HTTP/1.1\r\nHost: {host('web')}\r\n\r\n".encode()).status == 414


@pytest.mark.parametrize(("count", "status"), [(FIELDS, 200), (FIELDS + 1, 431), (200, 431)])
def test_a_head_of_more_fields_than_it_may_have_is_431(small: int, count: int, status: int) -> None:
    """RFC 6585, section 5."""
    assert sent(small, (REQUEST + "A: b\r\n" * (count - 1) + "\r\n").encode()).status == status


def test_a_head_that_takes_too_long_is_408(hasty: int) -> None:
    """RFC 9110, section 15.5.9: the time runs from its first byte, whatever comes after."""
    with Client(hasty) as client:
        began = time.monotonic()
        client.send(REQUEST.encode())
        assert client.response().status == 408
        assert SHORT <= time.monotonic() - began < 8  # by itself it would be 10
        assert client.closed()


def test_a_connection_without_a_request_is_closed_without_a_word(hasty: int) -> None:
    """RFC 9112, section 9.5: there is nobody to answer."""
    with Client(hasty) as used, Client(hasty) as new:
        assert served(used, "patient")
        assert new.closed()
        assert used.closed()


def test_the_usual_time_for_an_answer_is_a_setting_and_a_label_has_the_last_word(hasty: int, origin: Origin) -> None:
    """RFC 9110, section 15.6.5."""
    origin.script = never()
    try:
        for name, least in (("web", SHORT), ("patient", PATIENT)):
            with Client(hasty) as client:
                began = time.monotonic()
                assert client.get(host(name)).status == 504
                assert least <= time.monotonic() - began < least + 1.5
    finally:
        origin.script = respond()


def test_a_pooled_connection_rests_for_a_while_only(hasty: int, pooled: Origin) -> None:
    """Settings: HAYSTACK_POOL_IDLE."""
    with Client(hasty) as client:
        assert served(client, "pooled")
    assert pooled.connections
    until(lambda: not pooled.open, 8, "a pooled connection stayed")


@pytest.mark.parametrize(("size", "connections"), [("1", 1), ("0", 3)])
def test_so_many_connections_are_pooled_and_no_more(limited: Any, origin: Origin, size: str, connections: int) -> None:
    """Settings: HAYSTACK_POOL_SIZE."""
    port = limited(HAYSTACK_POOL_SIZE=size).port
    before = origin.connections
    with Client(port) as client:
        assert all(served(client) for _ in range(3))
    assert origin.connections - before == connections


def test_clients_beyond_the_limit_wait_until_one_goes(limited: Any) -> None:
    """Settings: HAYSTACK_MAX_CONNECTIONS. They are not refused: their connections and requests rest in the kernel."""
    port = limited(HAYSTACK_MAX_CONNECTIONS="3").port
    with ExitStack() as stack:
        first, *others = [stack.enter_context(Client(port)) for _ in range(3)]
        assert all(served(client) for client in (first, *others))
        for client in (first, *others):
            client.send(REQUEST.encode())  # who has begun to ask makes no room
        waiting = [stack.enter_context(Client(port)).send(REQUEST.encode() + b"\r\n") for _ in range(2)]
        for client in others:
            assert client.send(b"\r\n").response().status == 200, "those within go on"
            client.send(REQUEST.encode())
        for client in waiting:
            client.socket.setblocking(False)
            with pytest.raises(BlockingIOError):
                client.socket.recv(1)
            client.socket.settimeout(5)
        first.socket.close()
        assert waiting[0].response().status == 200
        others[0].socket.close()
        assert waiting[1].response().status == 200


def test_a_drain_serves_the_clients_that_there_was_no_room_for(limited: Any) -> None:
    """Product: a worker that closes refuses no connection that the kernel has taken."""
    haystack = limited(HAYSTACK_MAX_CONNECTIONS="1")
    with Client(haystack.port) as inside, Client(haystack.port) as waiting:
        assert served(inside)
        waiting.send(REQUEST.encode() + b"\r\n")
        haystack.terminate()
        assert waiting.response().status == 200


def test_one_client_address_has_so_many_connections_and_no_more(limited: Any) -> None:
    """RFC 6585, section 4; RFC 9209, section 2.3 (http_request_denied). Another address is another client; who goes makes room."""
    port = limited(HAYSTACK_MAX_CLIENT_CONNECTIONS="2").port
    with Client(port) as first, Client(port) as second:
        assert served(first)
        assert served(second)
        with Client(port) as third:
            response = third.response()
            assert response.status == 429
            assert "error=http_request_denied" in (response.get("proxy-status") or "")
            assert third.closed()
        with socket.create_connection(("127.0.0.1", port), source_address=("127.0.0.2", 0)) as other:
            other.sendall(REQUEST.encode() + b"\r\n")
            assert other.recv(12) == b"HTTP/1.1 200"
        assert served(first)
        second.socket.close()
        until(lambda: _welcome(port), 3, "no room for a client after one has gone")


def test_connections_of_a_trusted_proxy_are_not_counted(limited: Any) -> None:
    """Settings: HAYSTACK_TRUSTED_PROXIES. All of its clients come from its address."""
    port = limited(HAYSTACK_MAX_CLIENT_CONNECTIONS="1", HAYSTACK_TRUSTED_PROXIES="127.0.0.0/8").port
    with Client(port) as first, Client(port) as second:
        assert served(first)
        assert served(second)


def _welcome(port: int) -> bool:
    try:
        with Client(port) as client:
            return served(client)
    except ConnectionError:
        return False


def trickle(port: int, size: int, count: int, chunk: bool) -> Response:
    """The answer to a body of so many pieces of this size, one every tenth of a second, or to as much of it as was sent before."""
    line = b"%x\r\n%b\r\n" % (size, b"x" * size) if chunk else b"x" * size
    framing = b"Transfer-Encoding: chunked" if chunk else b"Content-Length: %d" % (size * count)
    with Client(port) as client:
        client.send(b"PUT" + REQUEST.encode()[3:] + framing + b"\r\n\r\n")
        client.socket.settimeout(0.1)
        for _ in range(count):
            client.send(line)
            try:
                if client._fill():
                    break
            except TimeoutError:
                continue
        else:
            client.send(b"0\r\n\r\n" if chunk else b"")
        client.socket.settimeout(5)
        return client.response()


@pytest.mark.parametrize("chunk", [False, True], ids=["length", "chunked"])
def test_a_body_below_the_least_rate_is_408(limited: Any, origin: Origin, chunk: bool) -> None:
    """Settings: HAYSTACK_BODY_RATE, judged over ten seconds or the time limit. RFC 9110, section 15.5.9; RFC 9209, section 2.3."""
    port = limited(HAYSTACK_BODY_RATE="1000", HAYSTACK_TIMEOUT="1s").port
    response = trickle(port, 10, 100, chunk)
    assert response.status == 408
    assert "error=connection_read_timeout" in (response.get("proxy-status") or "")
    assert trickle(port, 2000, 25, chunk).status == 200, "twenty times as fast as it must be"
    assert len(origin.requests[-1].body) == 50_000


def test_any_rate_is_good_where_none_is_set(limited: Any) -> None:
    """Settings: HAYSTACK_BODY_RATE=0."""
    port = limited(HAYSTACK_BODY_RATE="0", HAYSTACK_TIMEOUT="1s").port
    assert trickle(port, 1, 25, chunk=False).status == 200

"""TLS that is passed through where an endpoint fails, is away or is full, and where what is served changes or Haystack stops."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.fakes.client import Client
from tests.fakes.far_end import FarEnd, echo, ends, hangs, resets
from tests.fakes.passing import OWN, PASSED, RAW, SERVED, Edge, passing
from tests.fakes.pki import Authority
from tests.fakes.tls import TlsClient, hello
from tests.fakes.worker import Haystack, Member, until


@pytest.fixture(scope="module")
def edge(tmp_path_factory, fakes) -> Iterator[Edge]:
    with passing(tmp_path_factory.mktemp("edge"), fakes) as made:
        yield made


@pytest.fixture
def fresh(tmp_path, fakes) -> Iterator[Edge]:
    """One that a test may break."""
    with passing(tmp_path, fakes) as made:
        yield made


def alert(data: bytes) -> bool:
    return data == b"\x15\x03\x03\x00\x02\x02\x50"


@pytest.mark.parametrize(
    ("manner", "error"), [(resets, "connection_terminated"), (ends, "connection_terminated"), (hangs, "http_response_timeout")]
)
def test_an_endpoint_that_fails_alone_is_told_with_an_alert(edge, manner, error):
    edge.raw.manner = manner
    before = len(edge.lines())
    try:
        with Client(edge.port, timeout=10) as client:
            assert alert(client.send(hello(RAW)).rest())
        until(lambda: any(line["error"] == error and line["status"] in (502, 504) for line in edge.lines()[before:]), 9, "no line")
    finally:
        edge.raw.manner = echo


@pytest.mark.parametrize("manner", [resets, ends])
def test_a_hello_goes_to_another_endpoint_where_one_says_nothing(fresh, manner):
    fresh.ends[0].manner = manner
    for _ in range(20):
        with fresh.client() as client:
            assert client.get(OWN).body == b"end1"


def test_what_came_behind_the_hello_goes_nowhere_else(edge):
    """It may have had an effect: early data (RFC 8446, section 8)."""
    edge.raw.manner = resets
    try:
        seen = edge.raw.connections
        with Client(edge.port, timeout=10) as client:
            assert alert(client.send(hello(RAW) + b"\x17\x03\x03\x00\x05early").rest())
        assert edge.raw.connections == seen + 1
    finally:
        edge.raw.manner = echo


def test_a_client_that_goes_before_an_answer_takes_its_connection_along(edge):
    edge.raw.manner = hangs
    try:
        seen, before = len(edge.raw.heard), len(edge.lines())
        with Client(edge.port) as client:
            client.send(hello(RAW))
            until(lambda: len(edge.raw.heard) > seen, 9, "nothing came")
        until(lambda: any(line["error"] == "connection_terminated" for line in edge.lines()[before:]), 1.5, "it waits on")
    finally:
        edge.raw.manner = echo


def test_an_endpoint_that_goes_takes_no_connection_of_a_new_client(fresh):
    """While one container is there: 0 failed."""
    failed: list[object] = []
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            try:
                with fresh.client() as client:
                    if client.get(OWN).status != 200:
                        failed.append("status")
            except OSError as error:
                if established(error):
                    continue
                failed.append(error)

    def established(error: OSError) -> bool:
        """The tunnel was there already: it ends with its endpoint, whoever passes it on."""
        return isinstance(error, ConnectionError) and "handshake" not in str(error).lower()

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for each in threads:
        each.start()
    time.sleep(0.3)
    fresh.ends[0].close()
    time.sleep(0.5)
    fresh.haystack.show([fresh.members[0], None, *fresh.members[2:]])
    until(lambda: fresh.haystack.serving("own") == 1, 10, "it is in still")
    done.set()
    for each in threads:
        each.join(10)
    assert failed == []


def test_a_container_that_is_killed_within_a_session_ends_it_at_once_and_that_is_told(fresh):
    """Others have their next connection elsewhere; nobody takes the cut for an end of the data."""
    sessions = [fresh.client() for _ in range(6)]
    for each in sessions:
        assert each.get(OWN).status == 200
    mine = {id(each): each.get(OWN).body for each in sessions}
    assert set(mine.values()) == {b"end0", b"end1"}
    fresh.ends[0].close()
    for each in sessions:
        if mine[id(each)] == b"end0":
            # in a thread of its own: Python 3.14 leaves an error in OpenSSL's queue, the thread's, and would take it for the next session's
            with pytest.raises((ConnectionError, ssl.SSLError)), ThreadPoolExecutor(1) as own:
                own.submit(to_its_end, each).result()
        else:
            assert each.get(OWN).body == b"end1"
        each.socket.close()
    until(lambda: len([line for line in fresh.lines() if line["host"] == OWN]) == 6, 9, "not all are told of")
    for line in (line for line in fresh.lines() if line["host"] == OWN):
        assert (line["status"], line["received"] > 0, line["sent"] > 0) == (101, True, True)
    with fresh.client(timeout=20) as client:
        assert client.get(OWN).body == b"end1"


def to_its_end(client: TlsClient) -> None:
    """Ask, and read until the other side has said that this was all; raises where it never does."""
    client.tls.suppress_ragged_eofs = False  # an end of TCP alone says nothing
    client.tls.sendall(b"GET / HTTP/1.1\r\n\r\n")
    while client.tls.recv(65536):
        pass


def test_without_an_endpoint_a_client_waits_for_one_and_then_has_an_alert(fresh):
    fresh.haystack.show([*fresh.members[:3], None])
    until(lambda: fresh.haystack.serving("raw") == 0, 10, "it is in still")
    with Client(fresh.port, timeout=10) as client:
        assert alert(client.send(hello(RAW)).rest())
    with Client(fresh.port, timeout=10) as client:
        client.send(data := hello("a.wild.example.com"))
        client.take(1)
    assert data


def test_connections_wait_while_an_endpoint_has_its_most(tmp_path, fakes):
    end = FarEnd(echo)
    authority = Authority(tmp_path)
    (tmp_path / "certs").mkdir()
    authority.write(tmp_path / "certs", "served", SERVED)
    labels = PASSED | {"haystack.host": RAW, "haystack.max_connections": "1"}
    with Haystack([Member("raw", end.port, labels)], HAYSTACK_CERTS=str(tmp_path / "certs")) as haystack, end:
        port, data = int(haystack.wait("ready")["https"]), hello(RAW)
        with Client(port) as second:
            with Client(port) as first:
                assert first.send(data).take(len(data)) == data
                second.send(data)
                second.socket.settimeout(0.3)
                with pytest.raises(TimeoutError):
                    second.take(1)
            second.socket.settimeout(5)
            assert second.take(len(data)) == data


def test_a_silent_tunnel_has_its_time(tmp_path, fakes):
    with passing(tmp_path, fakes, HAYSTACK_TUNNEL_TIMEOUT="300ms") as made, Client(made.port) as client:
        data = hello(RAW)
        assert client.send(data).take(len(data)) == data
        assert client.closed()


def test_a_drain_lets_tunnels_end(fresh):
    data = hello(RAW)
    with Client(fresh.port) as client:
        assert client.send(data).take(len(data)) == data
        fresh.haystack.terminate()
        fresh.haystack.wait("haystack.stopping")
        assert client.send(b"more").take(4) == b"more"
    fresh.haystack.stop()


def test_a_tunnel_stays_while_another_service_changes(fresh):
    data = hello(RAW)
    with Client(fresh.port) as client:
        assert client.send(data).take(len(data)) == data
        for turn in range(3):
            fresh.haystack.show([*fresh.members[:2], fresh.members[2] if turn % 2 else None, fresh.members[3]])
            until(lambda turn=turn: fresh.haystack.serving("own") == (2 if turn % 2 else 1), 10, "no change")
        assert client.send(b"more").take(4) == b"more"


def test_a_frozen_endpoint_is_passed_by(fresh):
    """Connections that are made and never answered."""
    fresh.ends[0].manner = hangs
    while not fresh.ends[0].heard:
        with fresh.client(timeout=20) as client:
            assert client.get(OWN).body == b"end1"

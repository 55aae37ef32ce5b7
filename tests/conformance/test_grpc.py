"""gRPC through Haystack, with grpcio on both sides: each kind of call, metadata, deadlines, cancellation and back-pressure.

Each test also runs with client and server alone, which shows that it is right.
"""

from __future__ import annotations

import gzip
import itertools
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2

from tests.fakes.client import Client
from tests.fakes.grpc_server import Echoes, GrpcServer, refused
from tests.fakes.origin import refused_port
from tests.fakes.waiting import pause
from tests.fakes.worker import Haystack, Member, host, resident, until

ECHO = host("echo")
H2C = {"haystack.protocol": "h2c"}
MIB = 1 << 20
STILL = 0.5  # seconds in which nothing moves that goes by itself


@dataclass
class Way:
    """How the client comes to the server; haystack: None: directly."""

    target: str
    server: GrpcServer
    haystack: Haystack | None

    def client(self, **options: Any) -> Echoes:
        return Echoes(self.target, ECHO if self.haystack else "", **options)

    def memory(self) -> int:
        """Bytes that the worker holds."""
        return resident(self.haystack.workers()[0]) if self.haystack else 0


@pytest.fixture(scope="module")
def server() -> Iterator[GrpcServer]:
    with GrpcServer() as made:
        yield made


@pytest.fixture(scope="module")
def haystack(server: GrpcServer) -> Iterator[Haystack]:
    holder = refused_port()
    members = [
        Member("echo", server.port, H2C),
        Member("nobody", holder.getsockname()[1], H2C),
        Member("slow", server.port, H2C | {"haystack.timeout": "300ms"}),
    ]
    with Haystack(members, HAYSTACK_H2C="on", HAYSTACK_ACCESS_LOG="off") as made:
        yield made
    holder.close()


@pytest.fixture(params=["alone", "through Haystack"])
def way(request: pytest.FixtureRequest, server: GrpcServer) -> Way:
    if request.param == "alone":
        return Way(f"127.0.0.1:{server.port}", server, None)
    made = request.getfixturevalue("haystack")
    return Way(f"127.0.0.1:{made.port}", server, made)


@pytest.fixture
def client(way: Way) -> Iterator[Echoes]:
    with way.client() as made:
        yield made


# Each kind of call.


@pytest.mark.parametrize("size", [0, 1, 16379, 16384, 65535, 100_000, 3 * MIB])
def test_a_unary_call(client: Echoes, size: int) -> None:
    sent = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    assert client.call("unary", sent) == sent


def test_a_large_message_each_way(client: Echoes) -> None:
    sent = bytes(24 * MIB)
    assert client.call("unary", sent, timeout=40) == sent


def test_an_answer_in_many_messages(client: Echoes) -> None:
    got = list(client.call("serve", b"2000 100"))
    assert [int(each.rstrip(b".")) for each in got] == list(range(2000))


def test_an_answer_without_messages(client: Echoes) -> None:
    assert list(client.call("serve", b"0 0")) == []


def test_a_request_in_many_messages(client: Echoes) -> None:
    assert client.call("collect", (b"x" * 100 for _ in range(2000))) == b"2000 200000"
    assert client.call("collect", iter(())) == b"0 0"


def test_messages_both_ways_each_sent_once_the_one_before_is_back(client: Echoes) -> None:
    answers: list[bytes] = []
    news = threading.Semaphore(1)

    def ask() -> Iterator[bytes]:
        for number in range(200):
            assert news.acquire(timeout=10)
            yield str(number).encode()

    for each in client.call("talk", ask()):
        answers.append(each)
        news.release()
    assert answers == [str(number).encode() for number in range(200)]


def test_messages_both_ways_as_fast_as_they_go(client: Echoes) -> None:
    sent = [str(number).encode().ljust(5000, b".") for number in range(2000)]
    assert list(client.call("talk", iter(sent))) == sent


def test_a_stream_that_says_nothing_yet_stands(client: Echoes) -> None:
    """The head of the answer is there before any message."""
    call = client.call("listen", b"", timeout=20)
    assert ("x-here", "1") in call.initial_metadata()
    call.cancel()


def test_compressed_messages_stay_as_they_are(client: Echoes) -> None:
    sent = gzip.compress(b"x" * 1000) + b"y" * 50_000
    assert client.call("unary", sent, compression=grpc.Compression.Gzip) == sent


# Metadata.


def test_metadata_goes_both_ways(client: Echoes) -> None:
    given = (("x-one", "1"), ("x-two", "a"), ("x-two", "b"), ("x-odd-bin", bytes(range(256))), ("x-blank", ""))
    _, call = client.with_call("unary", b"", metadata=given)
    heads, trails = list(call.initial_metadata()), list(call.trailing_metadata())
    for key, value in given:
        assert (f"head-{key}", value) in heads
        assert (f"trail-{key}", value) in trails
    assert [value for key, value in heads if key == "head-x-two"] == ["a", "b"]


def test_the_server_sees_the_call_as_it_was_made(way: Way, client: Echoes) -> None:
    seen = json.loads(client.call("metadata", b"", metadata=[("authorization", "Bearer abc")], timeout=15))
    given = dict(map(tuple, seen["metadata"]))
    assert given["authorization"] == "Bearer abc"
    assert given["user-agent"].startswith("grpc-python/")
    assert 5 < seen["left"] < 20  # the client counts on another clock, and its deadline is sent in whole units of time
    if way.haystack:
        assert given["x-forwarded-for"] == "127.0.0.1"
        assert given["x-forwarded-proto"] == "http"


@pytest.mark.parametrize("code", [each.name for each in grpc.StatusCode if each is not grpc.StatusCode.OK])
def test_an_error_of_the_server_comes_as_it_is(client: Echoes, code: str) -> None:
    asked = {"code": code, "details": "gro\u00dfe N\u00f6te: 100 %", "trailers": [["x-why", "because"]]}
    error = refused(lambda: client.call("fail", json.dumps(asked).encode()))
    assert (error.code().name, error.details()) == (code, asked["details"])
    assert ("x-why", "because") in error.trailing_metadata()


def test_a_method_that_is_not_there_is_the_servers_to_refuse(client: Echoes) -> None:
    error = refused(lambda: client.call("nothing", b""))
    assert (error.code(), error.details()) == (grpc.StatusCode.UNIMPLEMENTED, "Method not found!")


# Deadlines and cancellation.


def test_a_deadline_that_passes_ends_the_call_at_the_server_too(way: Way, client: Echoes) -> None:
    before = way.server.counts().get("ended early", 0)
    error = refused(lambda: client.call("wait", b"30", timeout=2))
    assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    until(lambda: way.server.counts().get("ended early", 0) == before + 1, 10, "the server has not heard of it")


@pytest.mark.parametrize(("method", "asked"), [("wait", b"30"), ("serve", b"1000000000 1000"), ("listen", b"")])
def test_a_call_that_is_cancelled_ends_at_the_server(way: Way, client: Echoes, method: str, asked: bytes) -> None:
    come = way.server.counts().get("wait", 0)
    call = client.begin(method, asked) if method == "wait" else client.call(method, asked)
    if method == "wait":
        until(lambda: way.server.counts().get("wait", 0) > come, 10, "the call has not come")
    elif method == "serve":
        next(call)
    else:
        call.initial_metadata()
    before = way.server.counts()
    call.cancel()
    if method == "serve":
        until(lambda: way.server.counts()["made"] == way.server.counts()["made"], 10, "the server goes on")
    else:
        until(lambda: way.server.counts().get("ended early", 0) > before.get("ended early", 0), 10, "the server has not heard of it")
    assert client.call("unary", b"again") == b"again"


def test_a_client_that_vanishes_ends_its_calls_at_the_server(way: Way) -> None:
    before = way.server.counts().get("ended early", 0)
    client = way.client()
    calls = [client.call("listen", b"", timeout=None) for _ in range(5)]
    for call in calls:
        call.initial_metadata()
    client.channel.close()
    until(lambda: way.server.counts().get("ended early", 0) == before + 5, 10, "the server has not heard of it")


# Back-pressure.


def test_a_client_that_does_not_read_stops_the_server(way: Way, client: Echoes) -> None:
    """What is made and not read stands in windows and buffers of a bounded size, and all of it comes in the end."""
    held, before = way.memory(), way.server.counts().get("made", 0)
    call = client.call("serve", b"5000 20000", timeout=60)
    next(call)
    seen: list[int] = []
    until(lambda: _stands(seen, way.server.counts()["made"]), 30, "the server is never stopped")
    assert seen[-1] - before < 2500, "half of a hundred million bytes are under way"
    assert way.memory() - held < 24 * MIB
    assert sum(1 for _ in call) == 4999


def test_a_server_that_does_not_read_stops_the_client(way: Way, client: Echoes) -> None:
    sent = itertools.count()
    last = 0

    def messages() -> Iterator[bytes]:
        nonlocal last
        for last in sent:  # noqa: B007 - how far it came is what is looked at
            yield b"x" * 20_000

    held = way.memory()
    call = client.begin("stall", messages(), timeout=60)
    seen: list[int] = []
    until(lambda: _stands(seen, last), 30, "the client is never stopped")
    assert last < 2500
    assert way.memory() - held < 24 * MIB
    call.cancel()


def _stands(seen: list[int], now: int) -> bool:
    """Whether a number has stayed the same for a while."""
    pause(STILL / 5)
    seen.append(now)
    return len(seen) > 5 and len(set(seen[-5:])) == 1 and now > 0


def test_a_stream_that_stands_still_holds_up_no_other_of_its_connection(client: Echoes) -> None:
    slow = client.call("serve", b"5000 20000", timeout=60)
    next(slow)
    pause(STILL)
    for number in range(50):
        assert client.call("unary", str(number).encode()) == str(number).encode()
    slow.cancel()


# Many.


def test_many_calls_at_a_time_on_one_channel(client: Echoes) -> None:
    calls = [client.begin("wait", b"0.3", timeout=40) for _ in range(300)]
    assert {call.result() for call in calls} == {b"0.3"}


def test_many_channels(way: Way) -> None:
    clients = [way.client() for _ in range(60)]
    try:
        for _ in range(5):
            calls = [client.begin("unary", str(number).encode()) for number, client in enumerate(clients)]
            assert [call.result() for call in calls] == [str(number).encode() for number in range(60)]
    finally:
        for client in clients:
            client.channel.close()


# Health checks of clients, which last.


def test_the_health_service_of_an_endpoint_is_there_for_clients(client: Echoes) -> None:
    asked = client.channel.unary_unary("/grpc.health.v1.Health/Check", response_deserializer=health_pb2.HealthCheckResponse.FromString)
    assert asked(b"", timeout=10).status == health_pb2.HealthCheckResponse.SERVING
    watch = client.channel.unary_stream("/grpc.health.v1.Health/Watch", response_deserializer=health_pb2.HealthCheckResponse.FromString)
    call = watch(b"", timeout=20)
    assert next(call).status == health_pb2.HealthCheckResponse.SERVING
    call.cancel()


# What Haystack says itself.


def of(haystack: Haystack, authority: str) -> Echoes:
    return Echoes(f"127.0.0.1:{haystack.port}", authority)


def test_a_name_that_is_not_there_is_unimplemented(haystack: Haystack) -> None:
    with of(haystack, "no.services.haystack") as client:
        error = refused(lambda: client.call("unary", b""))
    assert error.code() == grpc.StatusCode.UNIMPLEMENTED
    assert error.details().startswith("404 Not Found: no service has this host name and path (request ")


def test_a_service_whose_endpoints_refuse_is_unavailable(haystack: Haystack) -> None:
    with of(haystack, host("nobody")) as client:
        error = refused(lambda: client.call("unary", b""))
    assert error.code() == grpc.StatusCode.UNAVAILABLE
    assert error.details().startswith(("502", "503"))
    proxy_status = dict(error.initial_metadata() or ()) | dict(error.trailing_metadata() or ())
    assert proxy_status["proxy-status"].startswith("haystack; error=")


def test_an_answer_that_does_not_come_in_time_is_a_deadline_that_has_passed(haystack: Haystack, server: GrpcServer) -> None:
    before = server.counts().get("ended early", 0)
    with of(haystack, host("slow")) as client:
        error = refused(lambda: client.call("wait", b"30", timeout=15))
        assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        assert error.details().startswith("504 Gateway Timeout: ")
        assert client.call("unary", b"on") == b"on"
    until(lambda: server.counts().get("ended early", 0) == before + 1, 10, "the server has not heard of it")


def test_a_stream_in_which_nobody_speaks_stays_longer_than_an_answer_may_take(haystack: Haystack) -> None:
    """One who listens for news waits for hours: a stream is like a tunnel."""
    with of(haystack, host("slow")) as client:
        listening = client.call("listen", b"", timeout=30)
        listening.initial_metadata()
        talk: Any = _Talk()
        talking = client.call("talk", talk, timeout=30)
        talk.say(b"1")
        assert next(talking) == b"1"
        pause(1.2)
        talk.say(b"2")
        assert next(talking) == b"2"
        assert listening.is_active()
        listening.cancel()
        talk.say(None)
        assert list(talking) == []


class _Talk:
    """Messages as they are said; None: there is no other."""

    def __init__(self) -> None:
        self._said: list[bytes | None] = []
        self._news = threading.Condition()

    def say(self, message: bytes | None) -> None:
        with self._news:
            self._said.append(message)
            self._news.notify()

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        with self._news:
            self._news.wait_for(lambda: self._said)
            message = self._said.pop(0)
        if message is None:
            raise StopIteration
        return message


def test_a_client_that_sends_little_for_long_is_no_slow_one(haystack: Haystack) -> None:
    """Before the server has said anything: of a client in HTTP/1 that would be a request that comes too slowly."""
    with of(haystack, host("slow")) as client:
        talk = _Talk()
        call = client.begin("collect", talk, timeout=30)
        for _ in range(3):
            talk.say(b"x")
            pause(0.4)
        talk.say(None)
        assert call.result() == b"3 3"


def test_metrics_know_the_calls(haystack: Haystack) -> None:
    with of(haystack, ECHO) as client:
        client.call("unary", b"")
    with Client(haystack.port) as plain:
        metrics = plain.get("localhost", "/metrics").body.decode()
    assert "haystack_endpoint_requests_total{" in metrics

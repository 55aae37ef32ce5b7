"""What becomes of gRPC's calls while servers and Haystack come and go, and over TLS."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import grpc
import pytest

from tests.fakes.grpc_server import Echoes, GrpcServer, Load, refused
from tests.fakes.pki import Authority
from tests.fakes.worker import Haystack, Member, host, until

ECHO = host("echo")
H2C = {"haystack.protocol": "h2c"}
CHANNELS = 4
ENDED = 15.0  # seconds until a replaced Haystack has gone


@pytest.fixture
def servers() -> Iterator[list[GrpcServer]]:
    with ExitStack() as stack:
        yield [stack.enter_context(GrpcServer()) for _ in range(2)]


@pytest.fixture
def members(servers: list[GrpcServer]) -> list[Member]:
    return [Member("echo", each.port, H2C) for each in servers]


@pytest.fixture
def haystack(members: list[Member]) -> Iterator[Haystack]:
    with Haystack(members, HAYSTACK_H2C="on") as made:
        yield made


def target(haystack: Haystack) -> str:
    return f"127.0.0.1:{haystack.port}"


def test_calls_on_one_channel_go_to_every_server(haystack: Haystack, servers: list[GrpcServer]) -> None:
    """What gRPC's clients do not do by themselves: a channel is one connection."""
    with Echoes(target(haystack), ECHO) as client:
        seen = [json.loads(client.call("metadata", b""))["server"] for _ in range(40)]
    assert {seen.count(each.process.pid) > 5 for each in servers} == {True}


def test_a_server_that_is_killed_costs_no_more_than_the_calls_that_it_had(haystack: Haystack, servers: list[GrpcServer]) -> None:
    """A call that was sent may have been carried out, and is not repeated: its client is told UNAVAILABLE."""
    with Load(target(haystack), ECHO, CHANNELS) as load:
        load.more(200)
        servers[0].kill()
        load.more(1000)
    assert len(load.errors) <= CHANNELS
    assert {error.split(":")[0] for error in load.errors} <= {"StatusCode.UNAVAILABLE"}, load.errors


def test_a_stream_is_told_that_its_server_was_killed(haystack: Haystack, servers: list[GrpcServer]) -> None:
    servers[1].kill()
    with Echoes(target(haystack), ECHO) as client:
        call = client.call("listen", b"", timeout=20)
        call.initial_metadata()
        servers[0].kill()
        error = refused(lambda: next(call))
    assert error.code() == grpc.StatusCode.UNAVAILABLE, error


def test_a_server_that_says_goodbye_costs_nothing_but_what_it_cancels_itself(haystack: Haystack, servers: list[GrpcServer]) -> None:
    """GOAWAY (RFC 9113, section 6.8): what it has not taken goes to the other one.

    grpcio's servers answer calls that come within the round trip of their GOAWAY with a status of their own, CANCELLED.
    """
    with Load(target(haystack), ECHO, CHANNELS) as load:
        load.more(200)
        servers[0].retire()
        servers[0].process.wait(20)
        load.more(500)
    assert set(load.errors) <= {"StatusCode.CANCELLED: CANCELLED"}
    assert len(load.errors) <= CHANNELS


def test_a_server_that_is_out_before_it_says_goodbye_costs_no_call(
    haystack: Haystack, servers: list[GrpcServer], members: list[Member]
) -> None:
    """As with `docker stop`: Haystack hears of the signal when the server does."""
    with Load(target(haystack), ECHO, CHANNELS) as load:
        load.more(200)
        haystack.show([None, members[1]])
        until(lambda: haystack.serving("echo") == 1, 10, "it is in still")
        load.more(200)
        servers[0].retire()
        servers[0].process.wait(20)
        load.more(200)
    assert load.errors == []


def test_servers_that_come_and_go_cost_no_call(servers: list[GrpcServer], members: list[Member], haystack: Haystack) -> None:
    with ExitStack() as stack, Load(target(haystack), ECHO, CHANNELS) as load:
        for number in range(3):
            load.more(100)
            new = stack.enter_context(GrpcServer())
            haystack.show([*members, Member("echo", new.port, H2C)] if number % 2 else [None, *members[1:], Member("echo", new.port, H2C)])
            until(lambda: haystack.serving("echo") >= 2, 10, "it is not in")
            load.more(200)
    assert load.errors == []


def test_a_call_in_flight_ends_in_peace_while_haystack_stops(haystack: Haystack) -> None:
    with Echoes(target(haystack), ECHO) as client:
        call = client.begin("wait", b"1.5", timeout=20)
        streamed = client.call("talk", iter([b"1", b"2"]), timeout=20)
        assert list(streamed) == [b"1", b"2"]
        haystack.terminate()
        assert call.result() == b"1.5"
        haystack.ended()
        assert refused(lambda: client.call("unary", b"", timeout=5)).code() == grpc.StatusCode.UNAVAILABLE
    haystack.stop = lambda: None  # type: ignore[method-assign]


def test_replacing_haystack_costs_no_call(members: list[Member]) -> None:
    """GOAWAY in two steps: what the old one had not taken, clients send again by themselves (gRPC, transparent retries)."""
    with ExitStack() as stack:
        old = stack.enter_context(Haystack(members, HAYSTACK_H2C="on"))
        with Load(target(old), ECHO, CHANNELS) as load, Echoes(target(old), ECHO) as client:
            load.more(200)
            long = client.begin("wait", b"2", timeout=20)
            new = stack.enter_context(Haystack(members, instead_of=old, HAYSTACK_H2C="on"))
            old.ended(ENDED)
            assert long.result() == b"2"
            load.more(200)
        assert load.errors == []
        assert new.port == old.port


def test_clients_over_tls_agree_on_http2(servers: list[GrpcServer], tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certs = tmp_path / "certs"
    certs.mkdir()
    authority.write(certs, "www", "grpc.example.com")
    members = [Member("echo", each.port, H2C | {"haystack.host": "grpc.example.com"}) for each in servers]
    credentials = grpc.ssl_channel_credentials(authority.path.read_bytes())
    with Haystack(members, HAYSTACK_CERTS=str(certs)) as haystack:
        port = haystack.wait("ready")["https"]
        with Echoes(f"127.0.0.1:{port}", "grpc.example.com", credentials, ssl_target_name_override="grpc.example.com") as client:
            assert client.call("unary", b"safe") == b"safe"
            given = dict(map(tuple, json.loads(client.call("metadata", b""))["metadata"]))
            assert given["x-forwarded-proto"] == "https"
            assert list(client.call("talk", iter([b"1", b"2"]))) == [b"1", b"2"]
            error = refused(lambda: client.call("fail", json.dumps({"code": "NOT_FOUND", "details": "no"}).encode()))
            assert error.code() == grpc.StatusCode.NOT_FOUND


def test_servers_within_tls_are_asked_for_their_health_and_called(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    authority.write(tmp_path, "server", "grpc.internal")
    labels = {
        "haystack.protocol": "h2",
        "haystack.tls.ca": str(authority.path),
        "haystack.tls.server_name": "grpc.internal",
        "haystack.health.grpc": "on",
        "haystack.health.interval": "100ms",
    }
    with (
        GrpcServer("0", str(tmp_path / "server.crt"), str(tmp_path / "server.key")) as server,
        Haystack([Member("echo", server.port, labels)], HAYSTACK_H2C="on") as haystack,
        Echoes(target(haystack), ECHO) as client,
    ):
        until(lambda: haystack.serving("echo") == 1, 15, "it is not in")
        assert client.call("unary", b"safe") == b"safe"
        assert list(client.call("talk", iter([b"1", b"2"]))) == [b"1", b"2"]


def test_without_the_setting_a_client_in_cleartext_is_told_so(members: list[Member]) -> None:
    with Haystack(members) as haystack, Echoes(target(haystack), ECHO) as client:
        assert refused(lambda: client.call("unary", b"", timeout=10)).code() == grpc.StatusCode.UNAVAILABLE


def test_a_server_that_speaks_no_http2_is_unavailable(servers: list[GrpcServer]) -> None:
    """The label is missing: the endpoint is spoken to in HTTP/1."""
    with Haystack([Member("echo", servers[0].port)], HAYSTACK_H2C="on") as haystack, Echoes(target(haystack), ECHO) as client:
        error = refused(lambda: client.call("unary", b"", timeout=10))
        assert error.code() == grpc.StatusCode.UNAVAILABLE
        assert error.details().startswith("502 Bad Gateway")

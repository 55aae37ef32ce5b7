"""The works that are measured: each a record, all in one table. Nothing here runs anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bench.macro.process import Process
from bench.macro.scenarios import HEADERS, SUBJECT, Aim
from bench.macro.wrk import Load
from bench.tls.drivers import Driver, Handshaking, Http2, Wrk
from bench.tls.h2load import H2Load
from bench.tls.peers import MESSAGE, Site, TlsHaproxy, TlsHaystack, TlsNginx, plain_haproxy, plain_haystack, plain_nginx


@dataclass(frozen=True)
class Contestant:
    """A proxy by name."""

    name: str
    make: Callable[[Site], Process]


PEERS = (Contestant("nginx", TlsNginx), Contestant("HAProxy", TlsHaproxy), Contestant(SUBJECT, TlsHaystack))
PLAIN = (Contestant("nginx", plain_nginx), Contestant("HAProxy", plain_haproxy), Contestant(SUBJECT, plain_haystack))
GRPC_FIELDS = ("content-type: application/grpc", "te: trailers")
IDLE = 2000
CALLS = H2Load(path="/bench.Echo/Say", headers=GRPC_FIELDS, body=MESSAGE)
CPU = "cpu_us"


@dataclass(frozen=True)
class Scenario:
    """One work. each: what the figure is of; grpc: the origin speaks h2c; idle: connections that stay open, and no load."""

    name: str
    title: str
    driver: Driver
    aims: tuple[Aim, ...]
    contestants: tuple[Contestant, ...] = PEERS
    each: str = "request"
    grpc: bool = False
    idle: int = 0


SCENARIOS = (
    Scenario("keepalive", "TLS 1.3, 64 keep-alive connections, 66-byte body", Wrk(), (Aim(CPU, 0.95, goal=0.85),)),
    Scenario("full", "full handshakes, ECDSA P-256", Handshaking(resumed=False), (Aim(CPU, 1.05, goal=0.95),), each="connection"),
    Scenario("resumed", "resumed handshakes", Handshaking(resumed=True), (Aim(CPU, 1.05, goal=0.95),), each="connection"),
    Scenario("down1m", "1 MiB down, 16 connections", Wrk(Load(path="/1m", connections=16, scheme="https")), (Aim(CPU, 1.0, goal=0.9),)),
    Scenario("h2", "h2, 8 connections of 32 streams, 66-byte body", Http2(), (Aim(CPU, 0.9, goal=0.7),)),
    Scenario("h2headers", "h2, 20 headers and a cookie of 1 KiB", Http2(H2Load(headers=HEADERS)), (Aim(CPU, 0.9, goal=0.7),)),
    Scenario(
        "grpc", "gRPC, unary calls of 32 bytes, h2c up", Http2(CALLS, grpc=True),
        (Aim(CPU, 0.95, goal=0.8),), each="call", grpc=True,
    ),
    Scenario("idle", f"{IDLE:,} idle TLS connections", Wrk(), (Aim("kib", 1.0),), each="connection", idle=IDLE),
    Scenario("idleh2", f"{IDLE:,} idle h2 connections", Http2(), (Aim("kib", 1.0),), each="connection", idle=IDLE),
    Scenario("plain", "HTTP/1 without TLS, for control", Wrk(Load()), (Aim(CPU, 0.9, goal=0.75),), PLAIN),
)  # fmt: skip

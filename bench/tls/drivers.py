"""What puts a proxy to work: each proves first that it does that very work, then loads it for some seconds and tells what was done."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from typing import Protocol

from bench.macro import compare, wrk
from bench.macro.origin import content
from bench.macro.process import Process
from bench.macro.wrk import Load, Report, spent
from bench.tls import h2load
from bench.tls.certificate import Certificate
from bench.tls.client import Client, H2Client
from bench.tls.h2load import H2Load
from bench.tls.peers import MESSAGE


class Driver(Protocol):
    """A kind of load."""

    def prove(self, peer: Process, shown: Certificate) -> None:
        """Raises RuntimeError, OSError or ValueError where the proxy does not do this work (yet)."""

    def run(self, peer: Process, shown: Certificate, seconds: int, cores: set[int]) -> Report:
        """Load it for so long."""


@dataclass(frozen=True)
class Wrk:
    """HTTP/1.1 by wrk: it negotiates TLS 1.3 where it can, and verifies nothing."""

    load: Load = field(default_factory=lambda: Load(scheme="https"))

    def prove(self, peer: Process, shown: Certificate) -> None:
        """The origin's own body comes through."""
        if self.load.scheme == "http":
            compare.prove(peer, self.load)
        else:
            with Client(peer.port, shown.ca) as client:
                same(client.get(self.load.path), content(self.load.path))

    def run(self, peer: Process, shown: Certificate, seconds: int, cores: set[int]) -> Report:  # noqa: ARG002
        """With wrk."""
        return wrk.run(self.load, peer.port, seconds, cores)


@dataclass(frozen=True)
class Handshaking:
    """A connection a request (bench/tls/handshakes.py), each resumed or none."""

    resumed: bool

    def prove(self, peer: Process, shown: Certificate) -> None:
        """The origin's own body comes through."""
        with Client(peer.port, shown.ca) as client:
            same(client.get("/"), content("/"))

    def run(self, peer: Process, shown: Certificate, seconds: int, cores: set[int]) -> Report:
        """In a process of its own."""
        before = spent()
        kind = "resumed" if self.resumed else "full"
        words = ["taskset", "-c", ",".join(map(str, sorted(cores))), sys.executable, "-m", "bench.tls.handshakes"]
        words += [str(peer.port), str(shown.ca), str(seconds), kind]
        done = subprocess.run(words, check=False, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{peer.name}: {kind} handshakes: {done.stderr.strip().splitlines()[-1:]}")
        told = json.loads(done.stdout)
        return Report(told["done"], told["done"] / told["took"], told["p50_ms"], told["p99_ms"], 0, spent() - before)


@dataclass(frozen=True)
class Http2:
    """HTTP/2 by h2load. grpc: each request is a call with MESSAGE, and its answer too."""

    load: H2Load = field(default_factory=H2Load)
    grpc: bool = False

    def prove(self, peer: Process, shown: Certificate) -> None:
        """HTTP/2 is chosen, and the origin's own body comes through."""
        with H2Client(peer.port, shown.ca) as client:
            if self.grpc:
                same(client.call(self.load.path, MESSAGE), MESSAGE)
            else:
                same(client.get(self.load.path), content(self.load.path))

    def run(self, peer: Process, shown: Certificate, seconds: int, cores: set[int]) -> Report:
        """With h2load."""
        return h2load.run(self.load, peer.port, seconds, cores, shown.ca.parent)


def same(got: bytes, wanted: bytes) -> None:
    """Raises RuntimeError where the body is another: a fast 404 is no figure."""
    if got != wanted:
        raise RuntimeError(f"not the origin's body: {got[:200]!r}")

"""Knot DNS with the zone of a picture: what an authoritative server says about the same names. For tests/differential/test_zone.py."""

from __future__ import annotations

import ipaddress
import random
import shutil
import socket
import struct
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Self

import dns.name

from haystack.dns.node import Node
from haystack.dns.zone import Zone
from tests.fakes.worker import until

KNOTD = shutil.which("knotd") or shutil.which("knotd", path="/usr/sbin")
SERVER = """server:
    listen: 127.0.0.1@{port}
    rundir: {folder}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: {folder}
log:
  - target: stderr
    any: error
zone:
"""
ZONE = "  - domain: {name}\n    file: {file}\n    zonefile-sync: -1\n    journal-content: none\n"
START = 15.0
TRIES = 5


class Knot:
    """knotd with these zones, by their names and texts, on a free port of loopback. Use as a context manager."""

    def __init__(self, zones: dict[str, str]) -> None:
        self._zones = zones
        self._folder = tempfile.TemporaryDirectory(prefix="haystack-test-knot-")
        self.port = 0
        self._process: subprocess.Popen[bytes]

    def __enter__(self) -> Self:
        for _ in range(TRIES):  # a free port may be taken before knotd has it
            if self._start():
                break
        else:
            raise AssertionError(f"knotd did not start: {(Path(self._folder.name) / 'log').read_text()}")
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.settimeout(5)
        self.udp.connect(("127.0.0.1", self.port))
        self.tcp = socket.create_connection(("127.0.0.1", self.port), timeout=5)
        return self

    def _start(self) -> bool:
        assert KNOTD, "knotd is not installed: requirements/system sees to it"
        folder, self.port = Path(self._folder.name), random.randrange(10_000, 32_000)
        conf = SERVER.format(port=self.port, folder=folder)
        for number, (name, text) in enumerate(self._zones.items()):
            file = folder / f"zone{number}"
            file.write_text(text)
            conf += ZONE.format(name=name, file=file)
        (folder / "conf").write_text(conf)
        with (folder / "log").open("wb") as log:
            self._process = subprocess.Popen([KNOTD, "-c", folder / "conf"], stdout=log, stderr=log)
        until(lambda: self._process.poll() is not None or self._listens(), START, "knotd neither starts nor ends")
        return self._process.poll() is None

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def __exit__(self, *_: object) -> None:
        self.udp.close()
        self.tcp.close()
        self._process.terminate()
        self._process.wait(10)
        self._folder.cleanup()

    def ask(self, packet: bytes, *, tcp: bool) -> bytes:
        """Its answer to a query."""
        if not tcp:
            self.udp.send(packet)
            end = time.monotonic() + 5
            while (reply := self.udp.recv(65535))[:2] != packet[:2]:
                assert time.monotonic() < end
            return reply
        try:
            return self._over_tcp(packet)
        except OSError:  # it had closed the connection in the meantime
            self.tcp.close()
            self.tcp = socket.create_connection(("127.0.0.1", self.port), timeout=5)
            return self._over_tcp(packet)

    def _over_tcp(self, packet: bytes) -> bytes:
        self.tcp.sendall(struct.pack("!H", len(packet)) + packet)
        (size,) = struct.unpack("!H", self._read(2))
        return self._read(size)

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self.tcp.recv(size - len(data))
            if not more:
                raise ConnectionResetError
            data += more
        return data


def zones(zone: Zone, own: Iterable[str]) -> dict[str, str]:
    """Zone files, by zone, that say what this zone does. own: Haystack's own addresses."""
    apexes = [key for key, node in zone.nodes.items() if node.apex]
    lines: dict[bytes, list[str]] = {apex: list(_top(zone, apex)) for apex in apexes}
    for key, node in zone.nodes.items():
        apex = next((above for above in _above(key) if above in lines), None)
        if apex is not None:
            lines[apex] += [f"{_text(key)} {zone.ttl} {record}" for record in _records(node, list(own))]
            lines[apex] += [rf"{_text(key)} {ttl} TYPE{rtype} \# {len(data)} {data.hex()}" for rtype, ttl, data in node.records]
    return {_text(apex): "\n".join([*said, ""]) for apex, said in lines.items()}


def _top(zone: Zone, apex: bytes) -> Iterator[str]:
    name, ours = _text(apex), apex == zone.apex
    server, person = (f"ns.{name}", f"hostmaster.{name}") if ours else (name, "nobody.invalid.")
    yield f"{name} {zone.ttl} SOA {server} {person} {zone.serial} 3600 600 86400 {zone.ttl}"
    yield f"{name} {zone.ttl} NS {server}"


def _above(key: bytes) -> Iterator[bytes]:
    while key[0]:
        yield key
        key = key[key[0] + 1 :]


def _text(key: bytes) -> str:
    return dns.name.from_wire(key, 0)[0].to_text()


def _records(node: Node, own: list[str]) -> Iterator[str]:
    addresses = [*(own if node.own else ()), *(each for host in node.hosts for each in (host.v4, host.v6) if each)]
    for each in dict.fromkeys(addresses):
        yield f"{'AAAA' if ipaddress.ip_address(each).version == 6 else 'A'} {each}"
    for target in node.srv:
        yield f"SRV 100 {target.weight} {target.port} {target.name}."
    for name in node.ptr:
        yield f"PTR {name}."

"""Memory of connections that are open and quiet: each did one request, and none is closed before the end."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack

from bench.macro.meter import kib
from bench.macro.process import Process
from bench.macro.wrk import Load

STEADY = 5
LOOK = 0.1
LIMIT = 20.0


def memory(peer: Process, load: Load) -> dict[str, float]:
    """KiB of resident memory before and with load.connections connections, and the difference a connection."""
    before = settled(peer)
    with ExitStack() as stack:
        for _ in range(load.connections):
            once(stack.enter_context(socket.create_connection(("127.0.0.1", peer.port), 10)), load)
        after = settled(peer)
    return {"before_kib": before, "after_kib": after, "kib": (after - before) / load.connections}


def once(connection: socket.socket, load: Load) -> None:
    """One request and its whole answer. Raises RuntimeError when that is no 200, or the connection does not stay."""
    connection.sendall(f"{load.method} {load.path} HTTP/1.1\r\nHost: {load.host}\r\n\r\n".encode())
    with connection.makefile("rb") as stream:
        head = b"".join(iter(stream.readline, b"\r\n"))
        fields = {k.lower(): v.strip() for k, _, v in (line.partition(b":") for line in head.split(b"\r\n")[1:])}
        if not head.startswith(b"HTTP/1.1 200") or fields.get(b"connection", b"").lower() == b"close":
            raise RuntimeError(f"not an answer that keeps the connection: {head!r}")
        stream.read(int(fields[b"content-length"]))


def settled(peer: Process) -> float:
    """KiB once it has been the same for half a second. Raises RuntimeError when that never comes."""
    end = time.monotonic() + LIMIT
    last: list[float] = []
    while len(last) < STEADY or max(last) - min(last) > 64:
        if time.monotonic() > end:
            raise RuntimeError(f"the memory of {peer.name} does not settle: {last} KiB")
        time.sleep(LOOK)
        last = [*last[1 - STEADY :], kib(pid for pids in peer.groups().values() for pid in pids)]
    return last[-1]

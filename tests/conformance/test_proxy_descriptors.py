"""File descriptors: each process takes what the system allows, no room takes another's, and who has none blames nobody else."""

from __future__ import annotations

import os
import resource
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.fakes.client import Client
from tests.fakes.origin import Origin
from tests.fakes.processes import children
from tests.fakes.worker import Haystack, Member, descriptors, host, until

FEW = "-n 192"
REQUEST = f"GET / HTTP/1.1\r\nHost: {host('web')}\r\n\r\n".encode()


def limits_of(pid: int) -> list[int]:
    """Soft and hard, of anybody's process."""
    lines = Path(f"/proc/{pid}/limits").read_text().splitlines()
    return [int(word) for word in next(line for line in lines if line.startswith("Max open files")).split()[3:5]]


@contextmanager
def no_descriptor_for(pid: int) -> Iterator[None]:
    """Meanwhile the process keeps what it has open, and gets nothing new, whatever it closes."""
    old = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (1, old[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, old)


def served(port: int, name: str = "web") -> bool:
    with Client(port) as client:
        return client.get(host(name)).status == 200


def probes(origin: Origin) -> int:
    return sum("haystack-health" in request.fields("user-agent") for request in origin.requests)


def test_every_process_takes_the_descriptors_that_the_system_allows(origin: Origin) -> None:
    """Settings: `ulimit -Sn` is a default for programs that use select; `ulimit -Hn` is what the system allows."""
    with Haystack([Member("web", origin.port)], descriptors="-Sn 256 && ulimit -Hn 3000", HAYSTACK_WORKERS="2") as haystack:
        until(lambda: len(children(haystack.process.pid)) == 3, 20, "no spare worker")
        until(lambda: all(limits_of(pid) == [3000, 3000] for pid in children(haystack.process.pid)), 20, "a worker keeps its low limit")
        assert limits_of(haystack.process.pid) == [3000, 3000]


def test_a_control_process_without_a_descriptor_puts_no_endpoint_out(origin: Origin) -> None:
    """Product: an endpoint is out when its port does not accept, not when nobody can look."""
    probed = Member("probed", origin.port, {"haystack.health.path": "/", "haystack.health.interval": "100ms", "haystack.health.fall": "1"})
    with Haystack([probed]) as haystack:
        assert served(haystack.port, "probed")
        with no_descriptor_for(haystack.process.pid):
            before = probes(origin)
            with pytest.raises(AssertionError, match="no probe"):
                until(lambda: probes(origin) > before + 1, 1.5, "no probe")
            assert served(haystack.port, "probed")
        before = probes(origin)
        until(lambda: probes(origin) > before + 3, 10, "it is probed no more")
        assert not [line for line in haystack.lines if line.get("event") == "endpoint.probed" and line.get("up") is False]


def crowd(stack: ExitStack, port: int, count: int) -> list[socket.socket]:
    """So many connections that say nothing."""
    return [stack.enter_context(socket.create_connection(("127.0.0.1", port), 5)) for _ in range(count)]


def test_crowds_at_every_door_leave_enough_for_a_new_worker_and_a_successor(origin: Origin) -> None:
    """Rooms have bounds that add up to less than the limit (`ulimit -n`), with a reserve."""
    with Haystack([Member("web", origin.port)], descriptors=FEW, HAYSTACK_WAIT="0") as haystack, ExitStack() as stack:
        ports = haystack.wait("ready")
        for name in ("ssh", "dns"):
            crowd(stack, int(ports[name]), 150)
        until(lambda: descriptors(haystack.process.pid) < 190, 9, "the doors took everything")
        (worker,) = haystack.workers()
        os.kill(worker, signal.SIGKILL)
        until(lambda: [pid for pid in haystack.workers() if pid != worker], 20, "no new worker")
        assert served(haystack.port)
        until(lambda: len(children(haystack.process.pid)) == 2, 20, "no spare worker")
        with Haystack([Member("web", origin.port)], haystack, descriptors=FEW) as successor:
            assert served(successor.port)
            haystack.ended(40)
        assert not [line for line in haystack.lines if line.get("event") in ("worker.start_failed", "worker.spare_failed")]


def test_few_descriptors_limit_the_clients_and_all_are_served_in_turn(origin: Origin) -> None:
    """Each client within may have an endpoint's connection at the same time."""
    few = Haystack([Member("web", origin.port)], descriptors=FEW, HAYSTACK_MAX_CLIENT_CONNECTIONS="0")
    with few as haystack, ExitStack() as stack:
        clients = [stack.enter_context(Client(haystack.port)) for _ in range(200)]
        for client in clients:
            client.send(REQUEST[:-2] + b"Connection: close\r\n\r\n")
        assert [client.response().status for client in clients] == [200] * 200
        (worker,) = haystack.workers()
        assert descriptors(worker) < 192


def test_pooled_connections_make_room_for_others(origin: Origin) -> None:
    """However many endpoints there are, what rests in their pools takes no descriptor that a request needs."""
    names = [f"web{number}" for number in range(120)]
    with Haystack([Member(name, origin.port) for name in names], descriptors=FEW) as haystack, Client(haystack.port) as client:
        assert [client.get(host(name)).status for name in names] == [200] * len(names)
        (worker,) = haystack.workers()
        assert descriptors(worker) < 100, "half of what it may have is for clients"

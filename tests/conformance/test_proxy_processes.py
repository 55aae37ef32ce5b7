"""The processes behind the port: a dead worker is replaced, and SIGTERM loses nothing (RFC 9112, section 9.6)."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import ExitStack
from pathlib import Path

from structlog.testing import capture_logs

from haystack.loop import stop_signals
from haystack.proxy import heartbeat
from haystack.proxy.supervisor import KILL_SECONDS, Supervisor
from haystack.settings.settings import load
from tests.fakes.client import Client
from tests.fakes.load import Load
from tests.fakes.origin import OK, Origin, held
from tests.fakes.processes import called, children, command_line
from tests.fakes.worker import Haystack, Member, descriptors, halt, host, until


def _status(haystack: Haystack) -> int:
    """Status of one GET on a new connection; 0 when there was no answer."""
    try:
        with Client(haystack.port) as client:
            return client.get(host("web")).status
    except OSError:
        return 0


def test_the_spare_replaces_a_dead_worker(origin: Origin) -> None:
    """Product: the listening sockets stay open, so that no new connection is refused meanwhile."""
    with Haystack([Member("web", origin.port)], HAYSTACK_WORKERS="2") as haystack:
        until(lambda: len(haystack.workers()) == 2, 9, "two workers never came up")
        victim, other = haystack.workers()
        spare = _spare(haystack)
        os.kill(victim, signal.SIGKILL)
        until(lambda: _replaced(haystack, victim), 9, "the worker was not replaced")
        assert [_status(haystack) for _ in range(40)] == [200] * 40
        assert sorted(haystack.workers()) == sorted((spare, other))  # nobody waits for an interpreter to start


def _replaced(haystack: Haystack, victim: int) -> bool:
    alive = haystack.workers()
    return victim not in alive and len(alive) == 2


def test_the_other_worker_serves_on(origin: Origin) -> None:
    """Product: its connections do not notice."""
    with Haystack([Member("web", origin.port)], HAYSTACK_WORKERS="2") as haystack:
        until(lambda: len(haystack.workers()) == 2, 9, "two workers never came up")
        clients = [Client(haystack.port) for _ in range(16)]
        assert [client.get(host("web")).status for client in clients] == [200] * 16
        victim = haystack.workers()[0]
        os.kill(victim, signal.SIGKILL)
        survivors = [client for client in clients if _answers(client)]
        assert survivors, "the kernel spreads 16 connections over two listeners"
        assert [client.get(host("web")).status for client in survivors] == [200] * len(survivors)
        for client in clients:
            client.socket.close()
        until(lambda: _replaced(haystack, victim), 10, "the worker was not replaced")


def _answers(client: Client) -> bool:
    try:
        return client.get(host("web")).status == 200
    except OSError:
        return False


def test_under_load_only_the_exchanges_of_the_dead_worker_are_lost(origin: Origin) -> None:
    """A client loses one request at most, that which the dead worker had; then all is well again."""
    with Haystack([Member("web", origin.port)], HAYSTACK_WORKERS="2") as haystack:
        until(lambda: len(haystack.workers()) == 2, 9, "two workers never came up")
        with Load().http(haystack.port, host("web"), b"ok", keep=4, new=2) as clients:
            clients.go_on()
            assert not clients.wrong
            victim = haystack.workers()[0]
            os.kill(victim, signal.SIGKILL)
            until(lambda: _replaced(haystack, victim), 10, "the worker was not replaced")
            lost = clients.forgive()
            clients.go_on()
        assert len(lost) <= 6, lost
        assert not clients.wrong


def test_who_waits_for_a_worker_that_is_killed_is_served_by_its_replacement(origin: Origin) -> None:
    """Product: a connection that it had not accepted is none of its exchanges."""
    with Haystack([Member("web", origin.port)], HAYSTACK_WORKERS="2") as haystack, ExitStack() as stack:
        until(lambda: len(haystack.workers()) == 2, 9, "two workers never came up")
        victim = haystack.workers()[0]
        halt(victim)
        clients = [stack.enter_context(Client(haystack.port, timeout=10)) for _ in range(60)]
        for client in clients:
            client.send(f"GET / HTTP/1.1\r\nHost: {host('web')}\r\n\r\n".encode())
        os.kill(victim, signal.SIGKILL)
        assert [client.response().status for client in clients] == [200] * 60


def test_a_worker_that_hangs_is_told_killed_and_replaced_and_no_other(origin: Origin) -> None:
    """Its silence is noticed, and those that it kept waiting are served."""
    with Haystack([Member("web", origin.port)], HAYSTACK_WORKERS="2") as haystack, ExitStack() as stack:
        until(lambda: len(haystack.workers()) == 2, 9, "two workers never came up")
        victim, other = haystack.workers()
        halt(victim)
        clients = [stack.enter_context(Client(haystack.port, timeout=20)) for _ in range(20)]
        for client in clients:
            client.send(f"GET / HTTP/1.1\r\nHost: {host('web')}\r\n\r\n".encode())
        assert [client.response().status for client in clients] == [200] * 20
        line = haystack.wait("worker.hung")
        assert (line["pid"], line["was"], line["state"]) == (victim, "serving", "T")
        until(lambda: _replaced(haystack, victim), 9, "the worker was not replaced")
        assert other in haystack.workers()


def test_nobody_is_suspected_when_everything_stood_still(origin: Origin) -> None:
    """A machine that was suspended, and whatever stops all processes at once, is no fault of a worker's."""
    with Haystack([Member("web", origin.port)], HAYSTACK_WORKERS="2") as haystack:
        until(lambda: len(haystack.workers()) == 2, 9, "two workers never came up")
        before = haystack.workers()
        everybody = [*before, haystack.process.pid]
        for pid in reversed(everybody):
            halt(pid)
        time.sleep(heartbeat.LOOK * (heartbeat.SILENT + 3))  # what is to be survived
        os.kill(haystack.process.pid, signal.SIGCONT)
        for pid in before:
            os.kill(pid, signal.SIGCONT)
        time.sleep(heartbeat.LOOK * 4)  # looks at which a false alarm would be raised
        assert _status(haystack) == 200
        assert haystack.workers() == before


def test_the_spare_takes_no_part_until_it_is_needed(origin: Origin) -> None:
    """It has no sockets; when a worker dies, it is its process that goes on, and another one is kept ready."""
    with Haystack([Member("web", origin.port)], HAYSTACK_WORKERS="1") as haystack:
        (worker,) = haystack.workers()
        spare = _spare(haystack)
        assert descriptors(spare) < descriptors(worker)
        os.kill(worker, signal.SIGKILL)
        until(lambda: haystack.workers() == [spare], 9, "it did not take over")
        assert _status(haystack) == 200
        assert _spare(haystack) != spare


def test_without_its_spare_a_worker_is_replaced_all_the_same(origin: Origin) -> None:
    """The spare may be killed too."""
    with Haystack([Member("web", origin.port)], HAYSTACK_WORKERS="1") as haystack:
        (worker,) = haystack.workers()
        os.kill(_spare(haystack), signal.SIGKILL)
        os.kill(worker, signal.SIGKILL)
        until(lambda: haystack.workers() not in ([], [worker]), 10, "it was not replaced")
        assert _status(haystack) == 200


def _spare(haystack: Haystack) -> int:
    found: list[int] = []

    def there() -> bool:
        found[:] = [pid for pid in children(haystack.process.pid) if called(pid) == "haystack-spare"]
        return bool(found)

    until(there, 30, "no spare came up")
    return found[0]


def test_workers_share_connections_evenly(origin: Origin) -> None:
    """Even load. 400 connections over two workers: 60 more or fewer than the half are six standard deviations.

    A few descriptors that were open before, for the first look at it, may close meanwhile.
    """
    with Haystack([Member("web", origin.port)], HAYSTACK_WORKERS="2") as haystack, ExitStack() as stack:
        until(lambda: len(haystack.workers()) == 2, 9, "two workers never came up")
        before = [descriptors(pid) for pid in haystack.workers()]
        for _ in range(400):
            stack.enter_context(Client(haystack.port))
        until(lambda: sum(descriptors(pid) for pid in haystack.workers()) >= sum(before) + 390, 9, "not all were accepted")
        shares = [descriptors(pid) - had for pid, had in zip(haystack.workers(), before, strict=True)]
        assert all(140 <= share <= 260 for share in shares), shares


async def test_a_worker_that_outlives_the_drain_is_killed_and_that_is_told(tmp_path: Path) -> None:
    """It can't hold up the end for ever."""
    supervisor = Supervisor(load({"http_port": "0", "http_alt_port": "0", "bind": "127.0.0.1", "workers": "1"}), str(tmp_path / "admin"))
    supervisor.bind()
    assert await supervisor.start()
    (worker,) = supervisor.workers
    halt(worker.pid)
    with capture_logs() as lines:
        await supervisor.drain(0.1)
    assert {"slot": 0, "pid": worker.pid} in [{k: line[k] for k in ("slot", "pid")} for line in lines if line["event"] == "worker.killed"]
    assert not command_line(worker.pid)


def test_sigterm_finishes_what_is_in_flight(origin: Origin) -> None:
    """RFC 9112, section 9.6: close after the response; Haystack: exit 0 (asserted by stop)."""
    gate = threading.Event()
    origin.script = held(gate, OK)
    haystack = Haystack([Member("web", origin.port)])
    with haystack, Client(haystack.port) as client:
        client.send(f"GET / HTTP/1.1\r\nHost: {host('web')}\r\n\r\n".encode())
        until(lambda: origin.requests, 9, "the request never reached the origin")
        haystack.terminate()
        until(lambda: _refused(haystack.port), 9, "new connections are still accepted")
        gate.set()
        response = client.response()
        assert (response.status, response.body, response.complete) == (200, b"ok", True)
        assert client.closed()
        haystack.ended()
        assert not any(line.get("event") == "haystack.cut" for line in haystack.lines)


def test_a_signal_that_comes_twice_at_once_counts_once_and_a_later_one_ends_all(origin: Origin) -> None:
    """A Ctrl-C comes twice where a program that passes signals on has started Haystack. Whoever sends one again does not want to wait."""
    gate = threading.Event()
    origin.script = held(gate, OK)
    haystack = Haystack([Member("web", origin.port)])
    with haystack, Client(haystack.port) as client:
        client.send(f"GET / HTTP/1.1\r\nHost: {host('web')}\r\n\r\n".encode())
        until(lambda: origin.requests, 9, "the request never reached the origin")
        haystack.terminate()
        haystack.wait("signal.received")
        haystack.process.send_signal(signal.SIGTERM)
        time.sleep(stop_signals.TWICE_SECONDS + 0.2)  # nothing tells that the time is over in which a second signal is the first one again
        assert haystack.process.poll() is None
        haystack.process.send_signal(signal.SIGTERM)
        assert haystack.killed() == -signal.SIGTERM
        gate.set()


def test_what_is_in_flight_has_so_long_and_no_longer(origin: Origin) -> None:
    """Who ends it with `docker stop` waits 10 s, and then kills everything."""
    assert load().drain + KILL_SECONDS < 10
    gate = threading.Event()
    origin.script = held(gate, OK)
    try:
        with Haystack([Member("web", origin.port)], HAYSTACK_DRAIN="300ms") as haystack, Client(haystack.port) as client:
            client.send(f"GET / HTTP/1.1\r\nHost: {host('web')}\r\n\r\n".encode())
            until(lambda: origin.requests, 9, "the request never reached the origin")
            told = time.monotonic()
            haystack.terminate()
            assert client.closed()
            haystack.ended()
            assert 0.3 <= time.monotonic() - told < 5
            assert haystack.wait("haystack.cut")["connections"] == 1
    finally:
        gate.set()


def test_a_drain_of_0_waits_for_nothing(origin: Origin) -> None:
    gate = threading.Event()
    origin.script = held(gate, OK)
    try:
        with Haystack([Member("web", origin.port)], HAYSTACK_DRAIN="0") as haystack, Client(haystack.port) as client:
            client.send(f"GET / HTTP/1.1\r\nHost: {host('web')}\r\n\r\n".encode())
            until(lambda: origin.requests, 9, "the request never reached the origin")
            haystack.terminate()
            assert client.closed()
            haystack.ended()
        assert not any(line.get("event") == "worker.killed" for line in haystack.lines)
    finally:
        gate.set()


def _refused(port: int) -> bool:
    try:
        with Client(port):
            return False
    except ConnectionRefusedError:
        return True


def test_a_signal_to_all_processes_of_a_start_ends_it_in_silence() -> None:
    """As Ctrl-C in a terminal is, or what a service manager sends: the worker that is being born is not taken for one that died."""
    haystack = Haystack([Member("web", 1)], group=True)
    try:
        until(lambda: any(map(imports, children(haystack.process.pid))), 20, "no worker is being started")
        (worker,) = filter(imports, children(haystack.process.pid))
        halt(worker)  # else it may be ready first
        until(lambda: catches(haystack.process.pid, signal.SIGTERM), 20, "it does not listen to signals")
        haystack.signal_all(signal.SIGTERM)
        haystack.wait("haystack.stopping")
        os.kill(worker, signal.SIGCONT)
    finally:
        haystack.terminate()
        haystack.ended()
    told = [line.get("event") for line in haystack.lines]
    assert "signal.received" in told
    assert not {"worker.died", "ready"} & set(told), told


def catches(pid: int, number: int) -> bool:
    """Whether a process has a handler for this signal (proc(5), SigCgt)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    mask = next(int(line.split()[1], 16) for line in lines if line.startswith("SigCgt:"))
    return bool(mask >> (number - 1) & 1)


def imports(pid: int) -> bool:
    """Whether a process is a worker that has begun to load what it is made of. Loading asyncssh starts others, which share our memory."""
    try:
        return b"launch" in command_line(pid) and "haystack/_fast" in Path(f"/proc/{pid}/maps").read_text()
    except OSError:
        return False


def test_sigterm_ends_idle_connections_at_once(origin: Origin) -> None:
    """RFC 9112, section 9.6; product: an idle client can't hold the end up for 30 s (stop asserts that)."""
    with Haystack([Member("web", origin.port)]) as haystack, Client(haystack.port) as client:
        assert client.get(host("web")).status == 200
        workers = haystack.workers()
        haystack.stop()
        assert client.closed()
    assert not any(b"haystack" in command_line(pid) for pid in workers), "no worker outlives the control process"


def test_sigterm_serves_those_who_wait_in_the_queue(origin: Origin) -> None:
    """Product: stop accepting, finish what is in flight; a client that had connected and asked is in flight."""
    with Haystack([Member("web", origin.port)], HAYSTACK_WORKERS="1") as haystack, ExitStack() as stack:
        (worker,) = haystack.workers()
        halt(worker)
        try:
            clients = [stack.enter_context(Client(haystack.port)) for _ in range(100)]
            for client in clients:
                client.send(f"GET / HTTP/1.1\r\nHost: {host('web')}\r\n\r\n".encode())
            haystack.terminate()
        finally:
            os.kill(worker, signal.SIGCONT)
        assert [client.response().status for client in clients] == [200] * 100

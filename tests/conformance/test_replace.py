"""`haystack run --replace`: a new process serves before the old one ends, and nobody notices; where it fails, the old one serves on."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from haystack.handover import client as taker
from haystack.handover import server
from tests.fakes.client import Client, until_close
from tests.fakes.load import Load
from tests.fakes.origin import Origin
from tests.fakes.worker import STARTED, Haystack, Member, command, environment, halt, host, until, wake

WEB = host("web")
ENDED = 15.0


@pytest.fixture
def members(origin: Origin) -> list[Member]:
    return [Member("web", origin.port)]


def status(haystack: Haystack) -> int:
    with Client(haystack.port) as client:
        return client.get(WEB).status


@contextmanager
def half_way(state: Path) -> Iterator[taker.Predecessor]:
    """A replacement that has the sockets and has not said that it serves; at the end it gives up."""
    half = taker.ask(state)
    assert half, "nobody runs with this state folder"
    try:
        yield half
    finally:
        half.close()
        for each in half.sockets:
            each.sock.close()


def failed_start(haystack: Haystack, status: int = 1, **settings: str) -> str:
    """The one line with which another one, told to replace this one, ends; with this status."""
    ended = subprocess.run(
        [*command(), "--replace"],
        env=environment(Path(haystack.folder.name) / "static.toml", haystack.state, settings),
        capture_output=True,
        timeout=30,
        check=False,
    )
    lines = [line for line in ended.stderr.decode().splitlines() if line.startswith("haystack: ")]
    assert ended.returncode == status, ended.stderr.decode()
    assert len(lines) == 1
    return lines[0]


@pytest.mark.parametrize("workers", [("1", "1"), ("2", "2"), ("3", "2"), ("1", "3")])
def test_under_load_no_request_and_no_query_fails(members: list[Member], workers: tuple[str, str]) -> None:
    """0 failed. The queues of the old one's sockets are the new one's."""
    with ExitStack() as stack:
        old = stack.enter_context(Haystack(members, HAYSTACK_WORKERS=workers[0]))
        names = int(old.wait("ready")["dns"])
        with Load().http(old.port, WEB, b"ok", keep=4, new=2).dns(names, WEB) as load:
            load.go_on()
            new = stack.enter_context(Haystack(members, instead_of=old, HAYSTACK_WORKERS=workers[1]))
            old.ended(ENDED)
            load.go_on()
        assert not load.wrong
        assert (new.port, old.wait("haystack.replaced")["by"]) == (old.port, new.process.pid)


def test_again_and_again(members: list[Member]) -> None:
    """The control socket goes from hand to hand."""
    with ExitStack() as stack:
        one = stack.enter_context(Haystack(members))
        with Load().http(one.port, WEB, b"ok", keep=2, new=1) as load:
            for _ in range(2):
                load.go_on()
                two = stack.enter_context(Haystack(members, instead_of=one))
                one.ended(ENDED)
                one = two
            load.go_on()
        assert not load.wrong
    assert not (one.state / "control.sock").exists()


def test_an_idle_client_asks_once_more_and_is_told_to_go(members: list[Member]) -> None:
    """RFC 9112, section 9.6: its request may be on its way when the old one is told to end; so that waits for it."""
    with Haystack(members) as old, Client(old.port) as client:
        assert client.get(WEB).get("connection") != "close"
        with Haystack(members, instead_of=old) as new:
            old.wait("haystack.replaced")
            assert status(new) == 200
            assert {answer.status for answer in until_close(client, WEB)} == {200}
            assert client.closed()
            old.ended()


def test_who_waits_in_a_queue_is_served(members: list[Member]) -> None:
    """A connection that nobody has accepted is not the old one's."""
    with Haystack(members) as old, ExitStack() as stack:
        (worker,) = old.workers()
        halt(worker)
        try:
            clients = [stack.enter_context(Client(old.port)) for _ in range(100)]
            for client in clients:
                client.send(f"GET / HTTP/1.1\r\nHost: {WEB}\r\nConnection: close\r\n\r\n".encode())
            with Haystack(members, instead_of=old):
                assert [client.response().status for client in clients] == [200] * 100
                wake(worker)
                old.ended(ENDED)
        finally:
            if old.process.poll() is None:
                wake(worker)


def test_with_nobody_to_replace_it_starts_and_says_so(members: list[Member], tmp_path: Path) -> None:
    (tmp_path / "static.toml").write_text(members[0].toml(0))
    (tmp_path / "state").mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as abandoned:
        abandoned.bind(str(tmp_path / "state" / "control.sock"))
    process = subprocess.Popen(
        [*command(), "--replace"], env=environment(tmp_path / "static.toml", tmp_path / "state", {}), stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stderr
        told = []
        while not any('"ready"' in line for line in told):
            told.append(process.stderr.readline())
            assert told[-1], told
        assert any('"handover.skipped"' in line for line in told)
        until(lambda: server.answers(tmp_path / "state" / "control.sock"), 9, "it could not be replaced in its turn")
        assert (tmp_path / "state" / "control.sock").stat().st_mode & 0o777 == 0o600
    finally:
        process.terminate()
        STARTED.append(process)  # should it not obey
        process.communicate(timeout=10)
    assert process.returncode == 0


def test_where_the_new_one_fails_the_old_one_serves_on(members: list[Member]) -> None:
    with ExitStack() as stack:
        old = stack.enter_context(Haystack(members))
        taken = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        number = taken.getsockname()[1]
        with Load().http(old.port, WEB, b"ok", keep=2, new=1) as load:
            load.go_on()
            assert "127.0.0.1:1" in failed_start(old, HAYSTACK_STATIC="", DOCKER_HOST="tcp://127.0.0.1:1", HAYSTACK_WORKERS="2")
            assert f"port {number}" in failed_start(old, HAYSTACK_HTTP_PORT=str(number))
            assert "HAYSTACK_STATIC" in failed_start(old, 2, HAYSTACK_STATIC="/nonexistent/static.toml")
            broken = Path(old.folder.name) / "broken.toml"
            broken.write_text("[[container")
            assert "nothing was replaced" in failed_start(old, HAYSTACK_STATIC=str(broken), HAYSTACK_WORKERS="3")
            load.go_on()
        assert not load.wrong


def test_one_replacement_at_a_time(members: list[Member]) -> None:
    with Haystack(members) as old:
        with half_way(old.state) as first:
            assert first.pid == old.process.pid
            assert "another replacement is in progress" in failed_start(old)
        old.wait("handover.failed")
        assert status(old) == 200
        with Haystack(members, instead_of=old):
            old.ended(ENDED)


def test_an_old_one_that_dies_half_way_loses_nothing_that_waits(members: list[Member]) -> None:
    with Haystack(members) as old, half_way(old.state) as half:
        pids = [old.process.pid, *old.workers()]
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        assert old.killed() == -signal.SIGKILL
        assert not half.release()
        listener = next(each.sock for each in half.sockets if each.name == "http")
        listener.settimeout(5)
        with Client(old.port), listener.accept()[0]:
            pass


def test_another_programs_shared_port_is_not_joined(members: list[Member]) -> None:
    """A foreign SO_REUSEPORT socket would get a part of the clients: the start fails, and the old one serves on."""
    with Haystack(members) as old, socket.socket() as foreign:
        foreign.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        foreign.bind(("127.0.0.1", 0))
        foreign.listen()
        assert "can't listen" in failed_start(old, HAYSTACK_HTTP_PORT=str(foreign.getsockname()[1]))
        assert status(old) == 200

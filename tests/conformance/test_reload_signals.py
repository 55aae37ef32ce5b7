"""SIGHUP, SIGUSR1 and SIGUSR2, by which other programs reload or reopen their logs, and SIGHUP of a terminal that is closed."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

import pytest

from tests.fakes.client import Client
from tests.fakes.origin import OK, Origin, held
from tests.fakes.ports import free_port
from tests.fakes.worker import START_LIMIT, STARTED, Haystack, Member, command, end, environment, host, until

RELOAD = (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
# It becomes the command, with its standard input as the terminal that controls it.
CONTROLLED = f"import fcntl, os, sys; fcntl.ioctl(0, {termios.TIOCSCTTY}, 0); os.execvp(sys.argv[1], sys.argv[1:])"


@pytest.fixture(autouse=True)
def nobody_has_said_nohup() -> Iterator[None]:
    """Where all tests run by that, what they start would ignore SIGHUP."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("number", RELOAD)
def test_a_signal_that_asks_for_a_reload_ends_nothing_and_is_told(origin: Origin, number: signal.Signals) -> None:
    """`docker kill -s HUP` of a container with `--init`, or of all processes of a service."""
    gate = threading.Event()
    origin.script = held(gate, OK)
    with Haystack([Member("web", origin.port)], group=True) as haystack, Client(haystack.port) as client:
        processes = haystack.workers()
        client.send(f"GET / HTTP/1.1\r\nHost: {host('web')}\r\n\r\n".encode())
        until(lambda: origin.requests, 9, "the request never reached the origin")
        haystack.signal_all(number)
        assert haystack.wait("signal.ignored")["name"] == number.name
        gate.set()
        assert client.response().status == 200
        assert haystack.workers() == processes
        assert haystack.process.poll() is None


def test_a_terminal_that_is_closed_ends_it_once_its_requests_have_ended(origin: Origin, tmp_path: Path) -> None:
    """A closed window ends `make run` as Ctrl-C does: requests in flight are answered first."""
    gate = threading.Event()
    origin.script = held(gate, OK)
    with Window(tmp_path, Member("web", origin.port)) as window, Client(window.port) as client:
        client.send(f"GET / HTTP/1.1\r\nHost: {host('web')}\r\n\r\n".encode())
        until(lambda: origin.requests, 9, "the request never reached the origin")
        window.close()
        until(lambda: refused(window.port), 9, "new connections are still accepted")
        gate.set()
        response = client.response()
        assert (response.status, response.body, response.complete) == (200, b"ok", True)
        assert window.process.wait(START_LIMIT) == 0


def test_nohup_keeps_it_when_the_terminal_is_closed(origin: Origin, tmp_path: Path) -> None:
    with Window(tmp_path, Member("web", origin.port), "nohup") as window, Client(window.port) as client:
        window.close()
        assert client.get(host("web")).status == 200
        assert window.process.poll() is None


class Window:
    """Haystack in a terminal of its own. port: where it listens."""

    def __init__(self, folder: Path, member: Member, *before: str) -> None:
        (folder / "static.toml").write_text(member.toml(0))
        self.port = free_port()
        self._terminal, inside = os.openpty()
        settings = {"HAYSTACK_HTTP_PORT": str(self.port)}
        self.process = subprocess.Popen(
            [sys.executable, "-c", CONTROLLED, *before, *map(str, command())],
            env=environment(folder / "static.toml", folder / "state", settings),
            stdin=inside, stdout=inside, stderr=inside, start_new_session=True, cwd=folder,
        )  # fmt: skip
        STARTED.append(self.process)
        os.close(inside)
        fcntl.fcntl(self._terminal, fcntl.F_SETFL, os.O_NONBLOCK)

    def __enter__(self) -> Self:
        until(self._ready, START_LIMIT, "it is not ready")
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        end(self.process)

    def _ready(self) -> bool:
        with suppress(OSError):  # there is nothing to read, or nohup has turned it away
            os.read(self._terminal, 65536)  # or it would wait for somebody to read what it says
        try:
            with Client(self.port) as client:
                return client.get("localhost", "/readyz").status == 200
        except OSError:
            return False

    def close(self) -> None:
        """Close the window: SIGHUP to what runs in it (termios(3))."""
        if self._terminal >= 0:
            os.close(self._terminal)
        self._terminal = -1


def refused(port: int) -> bool:
    """Whether nobody listens any more."""
    try:
        with Client(port):
            return False
    except ConnectionRefusedError:
        return True

"""What clients do meanwhile: pages, commands of the shell, DNS questions and requests, each from a thread of its own."""

from __future__ import annotations

import http.client
import itertools
import socket
import statistics
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

from haystack.dns import wire

LINES = ("services", "containers", "containers --json", "endpoints", "services --json", "metrics", "engines")
PAGES = ("/api/info", "/metrics", "/api/containers", "/api/services", "/api/networks", "/ui")
PATIENCE = 30.0


class Load:
    """Does one thing again and again until it is stopped. pause: seconds between the end of one and the next."""

    def __init__(self, what: Callable[[], None], pause: float) -> None:
        self.took: list[float] = []
        self.failed: list[str] = []
        self._what, self._pause = what, pause
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def again(self) -> None:
        """It can begin anew, with nothing done."""
        self.took, self.failed = [], []
        self._over.clear()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._over.wait(self._pause):
            began = time.perf_counter()
            try:
                self._what()
            except (OSError, http.client.HTTPException, subprocess.SubprocessError) as error:
                self.failed.append(repr(error))
            self.took.append(time.perf_counter() - began)

    def told(self) -> str:
        """How many, and milliseconds: median and worst."""
        if not self.took:
            return "none"
        failed = f", {len(self.failed)} failed ({self.failed[0]})" if self.failed else ""
        return f"{len(self.took)}: {statistics.median(self.took) * 1000:.1f} / {max(self.took) * 1000:.0f}{failed}"


def get(port: int, host: str, path: str) -> None:
    """One page or answer, whole. Raises OSError where it is no 200."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        client.request("GET", path, headers={"Host": host})
        answer = client.getresponse()
        answer.read()
        if answer.status != http.client.OK:
            raise OSError(f"{path} of {host}: {answer.status}")
    finally:
        client.close()


def pages(port: int) -> Callable[[], None]:
    """The next page each time."""
    paths = itertools.cycle(PAGES)
    return lambda: get(port, "haystack", next(paths))


def requests(port: int, services: int) -> Callable[[], None]:
    """A request of the next service each time."""
    numbers = itertools.cycle(range(services))
    return lambda: get(port, f"g{next(numbers)}.app.services.haystack", "/")


def questions(port: int, services: int) -> Callable[[], None]:
    """A DNS question for the next service each time. Raises OSError where there is no answer in time."""
    numbers = itertools.cycle(range(services))
    asker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    asker.settimeout(2)
    asker.connect(("127.0.0.1", port))

    def ask() -> None:
        asker.send(wire.question(wire.name(f"g{next(numbers)}.app.services.haystack"), wire.A))
        asker.recv(4096)

    return ask


def shell(port: int, key: Path, commands: tuple[str, ...] = LINES) -> Callable[[], None]:
    """The next command each time, by ssh(1). Raises CalledProcessError."""
    lines = itertools.cycle(commands)
    options = (
        "-oStrictHostKeyChecking=no",
        "-oUserKnownHostsFile=/dev/null",
        "-oLogLevel=ERROR",
        "-oIdentitiesOnly=yes",
        "-oBatchMode=yes",
    )

    def run() -> None:
        command = ["ssh", *options, "-i", str(key), "-p", str(port), "x@127.0.0.1", next(lines)]
        subprocess.run(command, check=True, timeout=PATIENCE, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    return run

"""A real `haystack run` before an engine of thousands of containers, which is the tests' fake one in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from bench.loop.engine import A_SERVICE
from bench.macro.origin import Origin
from bench.macro.process import Haystack

LISTED = 240.0


class Listed(Haystack):
    """Haystack once all containers of its engine are listed."""

    def _listening(self) -> dict[str, Any]:
        """The line of the log that tells the ports, which comes before a long list is there."""
        ready: dict[str, Any] = {}
        listed = False
        while not (ready and listed) and (line := self._log.get(timeout=LISTED)):
            ready = line if line.get("event") == "ready" else ready
            listed |= line.get("event") == "source.listed"
        return ready


class Site:
    """size: containers. Use as a context manager; `haystack` runs then, with these settings."""

    def __init__(self, size: int, networks: int = 20, **settings: str) -> None:
        self.size, self._networks, self._settings = size, networks, settings
        self.haystack: Listed
        self._origin = Origin(wide=True)
        self._engine: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        try:
            self._origin.start()
            self._engine = self._started()
            self.haystack = Listed(DOCKER_HOST=self.read(), **self._settings)
            self.haystack.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _started(self) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "bench.loop.engine", str(self._origin.port), str(self.size), str(self._networks)]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __exit__(self, *_: object) -> None:
        if hasattr(self, "haystack"):
            self.haystack.stop()
        if self._engine is not None:
            self._engine.terminate()
            self._engine.communicate()
        self._origin.stop()

    def tell(self, line: str) -> None:
        """Have the engine do this."""
        if self._engine is not None and self._engine.stdin is not None:
            self._engine.stdin.write(f"{line}\n")
            self._engine.stdin.flush()

    def read(self) -> str:
        """The next line that the engine says."""
        if self._engine is None or self._engine.stdout is None:
            raise RuntimeError("there is no engine")
        return self._engine.stdout.readline().strip()

    @property
    def port(self) -> int:
        """Of DNS."""
        return int(self.haystack.told["dns"])

    def names(self) -> list[str]:
        """Some of each kind: services and containers."""
        services = [f"g{n}.app.services.haystack" for n in range(0, self.size // A_SERVICE, 7)]
        return services + [container(n) for n in range(0, self.size, 61)]


def container(number: int) -> str:
    """The name of the container of that number."""
    return f"g{number // A_SERVICE}-{number}.containers.haystack"


def key(folder: Path) -> Path:
    """A new key for the shell."""
    path = folder / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    return path


@contextmanager
def on(cores: set[int]) -> Iterator[None]:
    """What is started meanwhile runs on these cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)

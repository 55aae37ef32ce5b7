"""Processes that a benchmark starts and ends: anything with a port, and Haystack with its log. Ends only its own."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import resource
import socket
import subprocess
import sys
import tempfile
import threading
import time
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Self

from tests.fakes.processes import called, children

LIMIT = 60.0
DRAIN = 40.0


class Process:
    """A program in the foreground with a folder of its own, from start() to stop()."""

    name = "process"

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="haystack-bench-")
        self.folder = Path(self._folder.name)
        self.port = 0
        self.secure = 0  # where it speaks TLS, if it does
        self.process: subprocess.Popen[bytes] | None = None
        self.environment: dict[str, str] = {}

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start; return when the port answers. Raises RuntimeError."""
        raise NotImplementedError

    def stop(self) -> None:
        """End it, kindly first."""
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(LIMIT)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._folder.cleanup()

    def launch(self, *command: str) -> None:
        """Start and wait until the port answers."""
        # to a file: nobody would empty a pipe
        with (self.folder / "stderr").open("wb") as told:
            self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=told, env=os.environ | self.environment)
        end = time.monotonic() + LIMIT
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{self.name} did not start: {(self.folder / 'stderr').read_text(errors='replace')[-2000:]}")
            time.sleep(0.02)

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    @property
    def pid(self) -> int:
        """The process's id. Raises RuntimeError before start()."""
        if self.process is None:
            raise RuntimeError(f"{self.name} was not started")
        return self.process.pid

    @staticmethod
    def files() -> int:
        """Raise the limit of open files as far as it goes, for this process and those it starts; how far that is."""
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        return hard

    def groups(self) -> dict[str, list[int]]:
        """Process ids by part; the first part carries the requests."""
        return {"all": [self.pid, *children(self.pid)]}


def _seconds(told: str | float) -> float:
    """Unix seconds of a line's time; versions until 0.1 have just these."""
    return datetime.fromisoformat(told).timestamp() if isinstance(told, str) else told


class Haystack(Process):
    """`haystack run` of this checkout, on free ports of 127.0.0.1."""

    name = "Haystack"

    def __init__(self, **settings: str) -> None:
        super().__init__()
        self.settings = settings
        self.told: dict[str, Any] = {}
        self._log: queue.Queue[dict[str, Any] | None] = queue.Queue()

    def start(self) -> None:
        """Start; return when it has told its port. Raises RuntimeError."""
        self._run()

    def replace(self) -> None:
        """Put a new one into its place while it serves; return when the old one has ended. Raises RuntimeError, TimeoutExpired."""
        old = self.process
        try:
            self._run("--replace")
            if old and old.wait(DRAIN):
                raise RuntimeError(f"the old Haystack ended with {old.returncode}")
        finally:
            if old:  # else one that could not be replaced would serve on when everything is over
                old.kill()
                old.wait()

    def _run(self, *options: str) -> None:
        command = [*self.command(), *options]
        with self.access.open("ab") as access:
            self.process = subprocess.Popen(command, env=self._environment(), stdout=access, stderr=subprocess.PIPE)
        self._log = queue.Queue()
        if self.process.stderr:
            threading.Thread(target=self._read, args=(self.process.stderr, self._log), daemon=True).start()
        self.told = self._listening()
        self.port = int(self.told["http"] if "http" in self.told else self.told["ports"]["http"])
        self.secure = int(self.told.get("https", 0))

    def command(self) -> list[str]:
        """What runs it."""
        return [str(Path(sys.executable).with_name("haystack")), "run"]

    @property
    def access(self) -> Path:
        """Where its access log goes, if it keeps one."""
        return self.folder / "access"

    def last_try(self, address: str) -> float:
        """Unix seconds at which the last exchange that tried `address` (IP:PORT) began, by the access log in JSON."""
        lines = [json.loads(line) for line in self.access.read_text().splitlines()]
        return max(_seconds(line["time"]) - line["total_ms"] / 1000 for line in lines if address in line["candidates"])

    def _environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("HAYSTACK_")}
        ports = {f"HAYSTACK_{name}_PORT": "0" for name in ("HTTP", "HTTP_ALT", "DNS", "SSH")}
        own = {"HAYSTACK_LOG_FORMAT": "json", "HAYSTACK_WORKERS": "1", "HAYSTACK_BIND": "127.0.0.1"}
        return kept | ports | own | {"HAYSTACK_STATE_DIR": str(self.folder / "state")} | self.settings

    @staticmethod
    def _read(log: IO[bytes], lines: queue.Queue[dict[str, Any] | None]) -> None:
        """Empties the pipe for as long as the process lives, so that logging never blocks it."""
        with log:
            for line in log:
                try:
                    lines.put(json.loads(line))
                except ValueError:
                    lines.put({"event": line.decode(errors="replace").rstrip()})
        lines.put(None)

    def _listening(self) -> dict[str, Any]:
        """The line of the log that tells the ports; versions until 0.1 have it in one of its own."""
        said = []
        with contextlib.suppress(queue.Empty):
            while line := self._log.get(timeout=LIMIT):
                if line.get("event") in ("ready", "listening") and ("http" in line or "ports" in line):
                    return line
                said.append(line)
        raise RuntimeError(f"Haystack did not start: {said[-5:]}")

    def groups(self) -> dict[str, list[int]]:
        """The worker, which carries the requests, apart from the control process."""
        below = children(self.pid)
        workers = [p for p in below if called(p) == "haystack-worker"]  # the spare is none yet
        if not workers:
            raise RuntimeError("no haystack-worker under haystack run")
        return {"worker": workers, "control": [self.pid, *(p for p in below if p not in workers)]}

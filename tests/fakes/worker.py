"""Haystack as a real process for tests: `haystack run` on free ports with a static file, and a site of rude origins behind it.

The process tells its ports in its `ready` log line. Stopping it is SIGTERM and must end with status 0.
A conftest.py makes the fixtures known.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pytest

from tests.fakes import events
from tests.fakes.client import Client
from tests.fakes.origin import Loop, Origin, refused_port, respond
from tests.fakes.processes import called, children

START_LIMIT = 100.0  # half of it was seen where ten times as many processes as processors had something to do
STOP_LIMIT = 20.0
ONES, PAIRS = 400, 60
STARTED: list[subprocess.Popen[bytes]] = []  # every one, until the run of all tests ends


@dataclass(frozen=True)
class Member:
    """One container of the static file: it belongs to the service of `image`, and `port` speaks HTTP."""

    image: str
    port: int
    labels: dict[str, str] = field(default_factory=dict)

    def toml(self, number: int) -> str:
        labels = {"haystack.port": str(self.port)} | self.labels
        table = ", ".join(f"{json.dumps(k)} = {json.dumps(v)}" for k, v in labels.items())
        return (
            f'[[container]]\nname = "{self.image}x{number}"\nimage = "{self.image}"\naddress = "127.0.0.1"\n'
            f'ports = ["{self.port}/tcp"]\nlabels = {{ {table} }}\n'
        )


def host(image: str) -> str:
    """The service's whole name: what a client writes in Host."""
    return f"{image}.services.haystack"


def command() -> list[str | Path]:
    """`haystack run` of this tree."""
    return [Path(sys.executable).with_name("haystack"), "run"]


def limited(descriptors: str) -> list[str]:
    """What starts a command so that it has this limit of file descriptors."""
    return ["sh", "-c", f'ulimit {descriptors} && exec "$@"', "sh"] if descriptors else []


def environment(static: Path, state: Path, extra: dict[str, str]) -> dict[str, str]:
    """Free ports, one worker, the static file, and nothing of this machine's settings."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("HAYSTACK_", "DOCKER_"))}
    ports = {f"HAYSTACK_{name}_PORT": "0" for name in ("HTTP", "HTTP_ALT", "HTTPS", "DNS", "SSH")}
    own = {"HAYSTACK_STATIC": str(static), "HAYSTACK_STATE_DIR": str(state), "HAYSTACK_LOG_FORMAT": "json"}
    return kept | ports | own | {"HAYSTACK_BIND": "127.0.0.1", "HAYSTACK_WORKERS": "1"} | extra


class Haystack:
    """The process. lines: its log so far, as parsed JSON; port: where its http listener is.

    instead_of: another one, which it replaces, with the same folder; out: a file for its standard output; cwd: where it is started;
    descriptors: what `ulimit` is told of file descriptors before it starts; group: it leads a process group of its own,
    for `signal_all`, and has no terminal.
    """

    def __init__(
        self,
        members: list[Member],
        instead_of: Haystack | None = None,
        out: Any = subprocess.DEVNULL,
        cwd: Path | None = None,
        descriptors: str = "",
        group: bool = False,
        **settings: str,
    ) -> None:
        self.folder = instead_of.folder if instead_of else tempfile.TemporaryDirectory(prefix="haystack-test-")
        self.last = True
        if instead_of:
            instead_of.last = False
        static = Path(self.folder.name) / "static.toml"
        self.show(list(members))
        self.state = Path(self.folder.name) / "state"
        self.process = subprocess.Popen(
            [*limited(descriptors), *command(), *(["--replace"] if instead_of else [])],
            env=environment(static, self.state, settings),
            stdout=out,
            stderr=subprocess.PIPE,
            cwd=cwd,
            start_new_session=group,
        )
        STARTED.append(self.process)
        self.lines: list[dict[str, Any]] = []
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.port = 0
        self._told = False

    def show(self, members: Sequence[Member | None]) -> None:
        """Write the static file, in one move: a member's name follows from its place, and None is a place where nobody is any more."""
        static = Path(self.folder.name) / "static.toml"
        fresh = static.with_suffix(".new")
        fresh.write_text("\n".join(m.toml(n) for n, m in enumerate(members) if m))
        fresh.replace(static)

    def serving(self, image: str, *, ready: bool = True) -> int:
        """How many endpoints of the service are ready, or are not, as /api/services tells."""
        with Client(self.port) as client:
            rows = json.loads(client.get("localhost", "/api/services").body)
        return sum(1 for row in rows if row["name"] == host(image) and row["ready"] == ready)

    def _read(self) -> None:
        assert self.process.stderr
        for line in self.process.stderr:
            with self._news:
                self.lines.append(_parsed(line))
                self._news.notify_all()
        with self._news:
            self._news.notify_all()

    def wait(self, event: str, seconds: float = START_LIMIT) -> dict[str, Any]:
        """The first log line with that event, as soon as it is there."""
        with self._news:
            self._news.wait_for(lambda: self._find(event) or self.process.poll() is not None, seconds)
            found = self._find(event)
        assert found, f"no {event!r} in the log of haystack run: {self.lines[-10:]}"
        return found

    def says(self, event: str, seconds: float) -> bool:
        """Whether a log line with that event is there, or comes within so many seconds."""
        with self._news:
            return bool(self._news.wait_for(lambda: self._find(event), seconds))

    def _find(self, event: str) -> dict[str, Any] | None:
        return next((line for line in self.lines if line.get("event") == event), None)

    def ready(self) -> Self:
        """Wait until it listens and says so at /readyz; one that does not is ended."""
        try:
            line = self.wait("ready")
            self.port = int(line["http"] if "http" in line else line["ports"]["http"])
            until(lambda: self._readyz() == 200, START_LIMIT, "/readyz never said 200")
        except BaseException:
            end(self.process)
            self._close()
            raise
        return self

    def _readyz(self) -> int:
        try:
            with Client(self.port) as client:
                return client.get("localhost", "/readyz").status
        except OSError:
            return 0

    def workers(self) -> list[int]:
        """Process ids of the live workers; the spare is none yet."""
        return [pid for pid in children(self.process.pid) if called(pid) == "haystack-worker"]

    def terminate(self) -> None:
        """SIGTERM, once: a second one would end it at once."""
        if not self._told and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self._told = True

    def signal_all(self, number: int) -> None:
        """Send a signal to it and to all that it has started."""
        os.killpg(self.process.pid, number)
        self._told |= number == signal.SIGTERM

    def stop(self) -> None:
        """SIGTERM, unless it was sent already; the end must be clean."""
        self.terminate()
        self.ended()

    def ended(self, limit: float = STOP_LIMIT) -> None:
        """Wait for the end, which must be clean."""
        try:
            status = self.process.wait(limit)
        except subprocess.TimeoutExpired:
            end(self.process)
            raise AssertionError(f"haystack run did not end in {limit} s: {self.lines[-5:]}") from None
        finally:
            self._close()
        assert status == 0, f"haystack run ended with {status}: {self.lines[-10:]}"
        odd = {events.unwritten(line) for line in self.lines if str(line.get("logger", "")).startswith("haystack")}
        assert odd <= {""}, odd
        bad = self._find("worker.failed")
        assert not bad, f"{bad}: {[line['text'] for line in self.lines if line.get('text', '').startswith('leaked')]}"

    def killed(self) -> int:
        """Wait for an end that a test brought about; its status."""
        self.stop = lambda: None  # type: ignore[method-assign]
        try:
            return self.process.wait(START_LIMIT)  # it may be about its start still
        finally:
            end(self.process)
            self._close()

    def _close(self) -> None:
        self._reader.join(STOP_LIMIT)
        assert not self._reader.is_alive(), "a child of haystack run outlives it and holds its log"
        if self.process.stderr:
            self.process.stderr.close()
        if self.last:
            self.folder.cleanup()

    def __enter__(self) -> Self:
        return self.ready()

    def __exit__(self, *exc: object) -> None:
        self.stop()


def end(process: subprocess.Popen[bytes]) -> bool:
    """SIGKILL, if it runs, whether it was stopped or not; True: it ran."""
    running = process.poll() is None
    process.kill()
    process.wait()
    return running


def left() -> list[str]:
    """What tests have started and not ended, by its command lines. It is ended now."""
    found = [f"{process.pid}: {process.args}" for process in STARTED if end(process)]
    STARTED.clear()
    return found


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except ValueError:
        value = None
    return value if isinstance(value, dict) else {"event": "", "text": line.decode(errors="replace").rstrip()}


def halt(pid: int) -> None:
    """SIGSTOP, and wait until the process stands: the signal takes effect only when each of its threads is scheduled next."""
    os.kill(pid, signal.SIGSTOP)
    until(
        lambda: all(_state(task) == "T" for task in Path(f"/proc/{pid}/task").iterdir()), 10, f"process {pid} goes on in spite of SIGSTOP"
    )


def _state(task: Path) -> str:
    """One letter, as in proc(5); T where the thread has gone meanwhile."""
    try:
        return (task / "stat").read_text().rpartition(") ")[2][0]
    except OSError:
        return "T"


def wake(pid: int) -> None:
    """End a SIGSTOP. On a slow machine the supervisor may have taken that for a worker that hangs, and have ended it."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)


def descriptors(pid: int) -> int:
    """Open file descriptors of a process."""
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


def resident(pid: int) -> int:
    """Bytes of memory that a process holds."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def until(condition: Any, seconds: float, complaint: str | Callable[[], str]) -> None:
    """Poll a condition that nothing announces; fail with the complaint when time is up."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, complaint() if callable(complaint) else complaint
        time.sleep(0.005)


class Site:
    """One Haystack before many services of one origin (`one`) or two (`pair`), each given to a single test."""

    def __init__(self) -> None:
        self.loop = Loop()
        self._ones = [self._origin() for _ in range(ONES)]
        self._pairs = [(self._origin(), self._origin()) for _ in range(PAIRS)]
        self._refusing: list[socket.socket] = [refused_port() for _ in range(3)]
        self._given = [0, 0]
        self.haystack = Haystack(self._members())

    def _origin(self) -> Origin:
        return Origin(self.loop, respond()).start()

    def _members(self) -> list[Member]:
        ones = [Member(f"one{n}", o.port) for n, o in enumerate(self._ones)]
        pairs = [Member(f"pair{n}", o.port) for n, pair in enumerate(self._pairs) for o in pair]
        refusing = [Member("refusing", s.getsockname()[1]) for s in self._refusing[:2]]
        half = [Member("half", self._refusing[2].getsockname()[1]), Member("half", self._ones[-1].port)]
        return ones + pairs + refusing + half

    @property
    def port(self) -> int:
        return self.haystack.port

    def one(self, script: Any = None) -> tuple[str, Origin]:
        """Host and origin of a service that no other test has seen."""
        number = self._given[0]
        self._given[0] += 1
        assert number < ONES - 1, "raise ONES: every service has been given away"
        origin = self._ones[number]
        origin.script = script or origin.script
        return host(f"one{number}"), origin

    def pair(self, first: Any, second: Any) -> tuple[str, tuple[Origin, Origin]]:
        """Host and both origins of a service that no other test has seen."""
        number = self._given[1]
        self._given[1] += 1
        assert number < PAIRS, "raise PAIRS: every service has been given away"
        pair = self._pairs[number]
        pair[0].script, pair[1].script = first, second
        return host(f"pair{number}"), pair

    def close(self) -> None:
        """End every origin and give the ports back."""
        for origin in (*self._ones, *(o for pair in self._pairs for o in pair)):
            origin.stop()
        for holder in self._refusing:
            holder.close()
        self.loop.close()

    def client(self, **options: Any) -> Client:
        return Client(self.port, **options)


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    """The Haystack that most tests share. Its services `refusing` and `half` refuse wholly and by half."""
    made = Site()
    try:
        with made.haystack:
            yield made
    finally:
        made.close()


@pytest.fixture(scope="session")
def fakes() -> Iterator[Loop]:
    """The loop on which a test may start further origins."""
    loop = Loop()
    yield loop
    loop.close()


@pytest.fixture
def origin(fakes: Loop) -> Iterator[Origin]:
    """One that answers well."""
    made = Origin(fakes, respond()).start()
    yield made
    made.stop()

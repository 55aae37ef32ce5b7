"""Machine instructions in user space that a proxy needs for a work, by valgrind: the same on a busy machine as on a quiet one.

The proxy that carries the requests runs under callgrind (of Haystack: its worker). One client asks, one request after the other; of HTTP/2,
STREAMS at a time. Valgrind takes orders between two requests only (vgdb), so that a count may be one request off.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.macro import process
from bench.macro.origin import Origin
from bench.macro.peers import program
from bench.tls.certificate import Certificate
from bench.tls.client import Client, H2Client, trusting
from bench.tls.compare import prove
from bench.tls.drivers import Handshaking, Http2, Wrk
from bench.tls.handshakes import ticket
from bench.tls.peers import GrpcOrigin, Site, TlsHaproxy, TlsHaystack, TlsNginx
from bench.tls.scenarios import Contestant, Scenario

STREAMS = 32
WARM, COUNT, HANDSHAKES = 32, 640, 100  # a handshake takes 0.1 s or more there
QUIET = 15.0
START = 300.0
# vgdb finds a process by names of its environment, which a worker of Haystack does not get
NAMES = {"USER": "bench", "LOGNAME": "bench", "HOST": "bench", "HOSTNAME": "bench"}
ALONE = ("-g", "master_process off;")  # a worker of nginx's has no environment
# the first is the worker; the spare behind it would only take its time
SCRIPT = '#!/bin/sh\n{names}\nmkdir {folder}/begun 2>/dev/null || exec {python} "$@"\nexec {words} {python} "$@"\n'
# valgrind takes no orders of root for a process that has given root up
RUN = """import sys
from haystack.cli import command
from haystack.proxy import account

account.account = lambda: None
sys.executable = {script!r}
sys.argv[1:] = ["run"]
sys.exit(command())
"""


class Folder:
    """Where valgrind puts what it counts, and is told what to do; also of a process that has given up root."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.chmod(0o777)

    def words(self) -> list[str]:
        """What goes before a command."""
        told = f"--callgrind-out-file={self.folder}/told.%p"
        return [program("valgrind"), "--quiet", "--tool=callgrind", "--instr-atstart=no", f"--vgdb-prefix={self.folder}/vgdb", told]

    def order(self, pid: int, *words: str) -> subprocess.Popen[str]:
        """Tell the valgrind of that process; it takes that while its process is at work."""
        command = [program("vgdb"), f"--vgdb-prefix={self.folder}/vgdb", f"--pid={pid}", *words]
        return subprocess.Popen(command, env=os.environ | NAMES, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def counted(self, pid: int, number: int) -> int:
        """Instructions between its dump of this number and the one before. Raises RuntimeError when there is none."""
        found = re.search(r"^(?:totals|summary): (\d+)", (self.folder / f"told.{pid}.{number}").read_text(), re.MULTILINE)
        if not found:
            raise RuntimeError("valgrind has counted nothing")
        return int(found[1])


def counted_by(kind: type[process.Process], site: Site, folder: Folder) -> process.Process:
    """That proxy, to be started under valgrind."""
    if issubclass(kind, TlsHaystack):
        return _Haystack(site, folder)
    made = kind(site)  # type: ignore[call-arg]
    launch, more = made.launch, ALONE if kind is TlsNginx else ()
    made.environment = NAMES
    made.launch = lambda *command: launch(*folder.words(), *command, *more)  # type: ignore[method-assign]
    return made


class _Haystack(TlsHaystack):
    """Only its workers, which it starts with what it takes for Python."""

    def __init__(self, site: Site, folder: Folder) -> None:
        super().__init__(site)
        names = "\n".join(f"export {name}={text}" for name, text in NAMES.items())
        script = folder.folder / "python"
        script.write_text(SCRIPT.format(folder=folder.folder, names=names, words=" ".join(folder.words()), python=sys.executable))
        script.chmod(0o755)
        self.run = folder.folder / "run.py"
        self.run.write_text(RUN.format(script=str(script)))

    def command(self) -> list[str]:
        """What runs it."""
        return [sys.executable, str(self.run)]


def run(scenario: Scenario, contestants: list[Contestant]) -> list[dict[str, Any]]:
    """A row for each contestant. Raises RuntimeError where one does not do that work."""
    if scenario.idle:
        return []
    rows = []
    for contestant in contestants:
        if contestant.make not in (TlsNginx, TlsHaproxy, TlsHaystack):
            continue
        with ExitStack() as stack:
            place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="haystack-bench-")))
            (place / "valgrind").mkdir()
            place.chmod(0o755)
            shown = Certificate(place)
            origin = stack.enter_context(GrpcOrigin() if scenario.grpc else Origin())
            folder = Folder(place / "valgrind")
            with patient():
                peer = stack.enter_context(counted_by(contestant.make, Site(origin.port, shown, scenario.grpc), folder))
            prove(peer, contestant, scenario, shown)
            most = HANDSHAKES if isinstance(scenario.driver, Handshaking) else COUNT
            each = count(peer, folder, stack.enter_context(asking(scenario, peer.port, shown)), most)
            rows.append({"scenario": scenario.name, "peer": contestant.name, "instructions": each})
    return rows


@contextmanager
def patient() -> Iterator[None]:
    """A start under valgrind takes its time."""
    limit, process.LIMIT = process.LIMIT, START
    try:
        yield
    finally:
        process.LIMIT = limit


def count(peer: process.Process, folder: Folder, ask: Callable[[], int], most: int) -> float:
    """Instructions a request, of so many. ask: does some, and says how many."""
    pid = worker(peer)
    for _ in range(WARM):
        ask()
    asked_until(folder.order(pid, "instrumentation", "on"), ask)
    busy = dumped(pid, folder, ask, most, 0.0)
    quiet = dumped(pid, folder, ask, 1, min(busy.seconds, QUIET))
    return share(replace(busy, instructions=folder.counted(pid, 1)), replace(quiet, instructions=folder.counted(pid, 2)))


@dataclass(frozen=True)
class Stretch:
    """What was done between two dumps, in how many seconds."""

    done: int
    seconds: float
    instructions: int = 0


def dumped(pid: int, folder: Folder, ask: Callable[[], int], most: int, pause: float) -> Stretch:
    """So many requests after a pause, to the next dump."""
    began, done = time.monotonic(), 0
    time.sleep(pause)
    while done < most:
        done += ask()
    done += asked_until(folder.order(pid, "dump"), ask)
    return Stretch(done, time.monotonic() - began)


def share(busy: Stretch, quiet: Stretch) -> float:
    """Instructions of a request alone: what is done each second, whoever asks, is not its own. Two equations, two unknowns."""
    of_both = busy.done * quiet.seconds - quiet.done * busy.seconds
    return (busy.instructions * quiet.seconds - quiet.instructions * busy.seconds) / of_both


def worker(peer: process.Process) -> int:
    """The process that carries the requests."""
    first = next(iter(peer.groups().values()))
    return first[0]


def asked_until(order: subprocess.Popen[str], ask: Callable[[], int]) -> int:
    """Keep it at work until it has taken the order; how many requests that were. Raises RuntimeError when it does not."""
    done, end = 0, time.monotonic() + START
    while order.poll() is None:
        done += ask()
        if time.monotonic() > end:
            order.kill()
            raise RuntimeError("valgrind takes no orders")
    _, said = order.communicate()
    if order.returncode:
        raise RuntimeError(f"valgrind takes no orders: {said}")
    return done


@contextmanager
def asking(scenario: Scenario, port: int, shown: Certificate) -> Iterator[Callable[[], int]]:
    """What does a request of that work, or a few: how many."""
    driver = scenario.driver
    if isinstance(driver, Handshaking):
        context = trusting(shown.ca, "http/1.1")
        session = ticket(port, shown.ca, context) if driver.resumed else None

        def connect() -> int:
            with Client(port, shown.ca, context, session) as client:
                client.get("/")
                if client.socket.session_reused is not driver.resumed:
                    raise RuntimeError("a handshake was not what it should be")
            return 1

        yield connect
    elif isinstance(driver, Http2):
        with H2Client(port, shown.ca) as h2:
            yield lambda: h2.many(driver.load, STREAMS)
    elif isinstance(driver, Wrk):
        with Client(port, shown.ca) as h1:
            yield lambda: bool(h1.get(driver.load.path))

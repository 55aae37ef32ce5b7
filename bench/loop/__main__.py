"""`python -m bench.loop`: what holds the control loop of a real `haystack run` before an engine of 10,000 containers.

The engine is the tests' fake one in a process of its own; the endpoints are an nginx. Each phase prints one line: the longest hold by
the CPU time of the loop's thread between two calls of a ticker; its longest lag by the clock, but for the time in which the thread waited
for a processor, for a machine may do other things as well (waiting for other threads of Haystack is in it); what DNS clients waited. Where
the longest of them were goes to standard error.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench.loop import load
from bench.loop.engine import A_SERVICE
from bench.loop.load import Load
from bench.macro.origin import Origin
from bench.macro.process import Haystack

MOST = 0.005  # seconds
LISTED, ENDED = 240.0, 60.0
SHOWN = 12  # holds of a phase whose places are told
HEAD = "| phase | longest hold, ms of CPU | longest lag, ms | lags above 5 ms | DNS: questions, median / worst wait, ms |"


class Watched(Haystack):
    """With the watch inside; `report` is there once it has ended."""

    @property
    def report(self) -> Path:
        """What the watch saw."""
        return self.folder / "holds"

    def command(self) -> list[str]:
        """As `haystack run`."""
        return [sys.executable, "-m", "bench.loop.inside", str(self.report)]

    def _listening(self) -> dict[str, Any]:
        """The line of the log that tells the ports, once all is listed too: of a long list it comes before that."""
        ready: dict[str, Any] = {}
        listed = False
        while not (ready and listed) and (line := self._log.get(timeout=LISTED)):
            ready = line if line.get("event") == "ready" else ready
            listed |= line.get("event") == "source.listed"
        return ready

    def holds(self) -> list[dict[str, Any]]:
        """End it, and read what it saw. Raises RuntimeError."""
        if self.process:
            self.process.terminate()
            self.process.wait(ENDED)
        if not self.report.exists():
            said = [line for _ in range(self._log.qsize()) if (line := self._log.get())]
            raise RuntimeError(f"it has ended otherwise than it should: {said[-30:]}")
        found: list[dict[str, Any]] = json.loads(self.report.read_text())
        return found


class Phases:
    """What was done from when to when, and what DNS clients waited meanwhile."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, float, float, str]] = []

    @contextlib.contextmanager
    def phase(self, name: str, dns: Load | None = None, **loads: Load) -> Iterator[None]:
        """While the context lasts."""
        began = time.time()
        with ExitStack() as stack:
            for each in (*loads.values(), *([dns] if dns else [])):
                stack.enter_context(each)
            yield
        for what, each in loads.items():
            print(f"{name}: {what}: {each.told()}", file=sys.stderr)
        self.rows.append((name, began, time.time(), dns.told() if dns else ""))


def engine(port: int, options: argparse.Namespace) -> subprocess.Popen[str]:
    """The engine's process."""
    command = [sys.executable, "-m", "bench.loop.engine", str(port), str(options.size), str(options.networks)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def measured(options: argparse.Namespace, folder: Path) -> tuple[Phases, list[dict[str, Any]]]:
    """All of it."""
    key = folder / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    with Origin(wide=True) as origin, engine(origin.port, options) as site:
        try:
            assert site.stdout is not None  # noqa: S101 - it is a pipe
            settings = {"DOCKER_HOST": site.stdout.readline().strip(), "HAYSTACK_SSH_AUTHORIZED_KEYS_FILE": f"{key}.pub"}
            phases = Phases()
            with ExitStack() as stack:
                with phases.phase("first list"):
                    haystack = stack.enter_context(Watched(**settings))
                played(phases, haystack, site, key, options)
                return phases, haystack.holds()
        finally:
            site.terminate()


def played(phases: Phases, haystack: Watched, site: subprocess.Popen[str], key: Path, options: argparse.Namespace) -> None:
    """One phase after the other."""
    ports, services, seconds = haystack.told, options.size // A_SERVICE, options.seconds

    def tell(line: str) -> None:
        assert site.stdin is not None  # noqa: S101 - it is a pipe
        site.stdin.write(f"{line}\n")
        site.stdin.flush()

    def during(name: str, *words: str, **loads: Load) -> None:
        with phases.phase(name, dns=Load(load.questions(ports["dns"], services), 0.005), **loads):
            for word in words:
                tell(word)
            time.sleep(seconds)  # the length of the phase
            tell("still")
        time.sleep(1)  # what the phase has begun ends before the next one

    def clients() -> dict[str, Load]:
        return {
            "pages": Load(load.pages(haystack.port), 0.1), "shell": Load(load.shell(ports["ssh"], key), 0.1),
            "requests": Load(load.requests(haystack.port, services), 0.005),
        }  # fmt: skip

    during("nothing")
    during("20 containers restarted a second", "changes 20")
    during("500 containers restarted at once", "deploy 500")
    for name, each in clients().items():
        during(name, **{name: each})
    during("a network more", "network")
    during("all listed anew", "relist")
    during("all of that at once", "changes 20", "network", "relist", **clients())


def shown(phases: Phases, holds: list[dict[str, Any]]) -> str:
    """The table."""
    lines = [HEAD, "| --- | --- | --- | --- | --- |"]
    for name, begin, end, dns in phases.rows:
        mine = [h for h in holds if begin <= h["at"] <= end]
        cpu, late = (max((h[which] for h in mine), default=0.0) * 1000 for which in ("cpu", "late"))
        above = sum(h["late"] > MOST for h in mine)
        lines.append(f"| {name} | {cpu:.1f} | {late:.1f} | {above} | {dns} |")
    return "\n".join(lines)


def places(phases: Phases, holds: list[dict[str, Any]]) -> str:
    """Where the longest ones of each phase were."""
    lines = []
    for name, begin, end, _ in phases.rows:
        mine = [h for h in holds if begin <= h["at"] <= end and max(h["cpu"], h["late"]) > MOST]
        for h in sorted(mine, key=lambda h: -max(h["cpu"], h["late"]))[:SHOWN]:
            garbage = [(generation, round(seconds * 1000, 1)) for generation, seconds in h["garbage"]]
            lines.append(f"{name}: {h['cpu'] * 1000:.1f} ms, {h['late'] * 1000:.1f} late, garbage {garbage}")
            lines += [f"    {where}" for where in h["where"]]
    return "\n".join(lines)


def main() -> None:
    """Print it."""
    parser = argparse.ArgumentParser(prog="python -m bench.loop", description=__doc__)
    parser.add_argument("--size", type=int, default=10_000)
    parser.add_argument("--networks", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=8.0, help="of each phase")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        phases, holds = measured(options, Path(folder))
    print(places(phases, holds), file=sys.stderr)
    print(shown(phases, holds))


if __name__ == "__main__":
    main()

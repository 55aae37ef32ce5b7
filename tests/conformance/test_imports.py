"""What the processes import: a worker what it uses, the control process what its sources need, and nothing once it serves.

What Python runs first in each process writes down every module that is looked for, as sys.addaudithook tells, and by which thread.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncssh
import pytest

from tests.fakes.client import Client
from tests.fakes.collector import Collector
from tests.fakes.origin import Origin
from tests.fakes.worker import Haystack, Member, host

# The file is opened at once: a worker goes on as another user. It says which process it is of by its name.
SITE = """
import os, sys, _thread
def _watch(role):
    told, main = open(f"{folder}/{{role}}-{{os.getpid()}}", "w", buffering=1), _thread.get_ident()
    def hear(event, args):
        if event == "import":
            told.write(f"{{args[0]}} {{'main' if _thread.get_ident() == main else 'other'}}\\n")
    sys.addaudithook(hear)
_watch("worker" if any(word.endswith("launch.py") for word in sys.orig_argv) else "control")
"""
# Of these a worker needs nothing; each of them is some MiB, or brings others of this list.
NOT_IN_WORKERS = {
    "pydantic", "pydantic_settings", "structlog", "rich", "pygments", "docker", "requests", "asyncssh", "prompt_toolkit", "starlette",
    "uvicorn", "prometheus_client", "dnslib", "cryptography", "email", "http", "json", "urllib", "pathlib", "tempfile", "shutil",
    "ipaddress", "zoneinfo", "csv", "argparse", "ctypes", "_ssl", "hashlib", "secrets", "random", "html", "subprocess", "locale",
} | ({"ast"} if sys.version_info < (3, 14) else set())  # fmt: skip
MOST_IN_WORKERS = 330
NOT_AT_START = {
    "asyncssh", "prompt_toolkit", "starlette", "uvicorn", "prometheus_client", "cryptography", "h2", "docker", "requests", "urllib3",
    "opentelemetry", "httptools",
}  # fmt: skip
ROOMS = {"_fast", "catalog", "dns", "loop", "model", "net", "proxy", "routing", "tls"}  # that a worker's modules are of


WHAT_SERVES = (
    "/",
    "/ui",
    "/healthz",
    "/metrics",
    "/api/info",
    "/api/services",
    "/api/containers",
    "/api/networks",
    "/api/certificates",
    "/ca.pem",
    "/nothing",
)
COMMANDS = ("services", "certs", "containers --json", "endpoints", "metrics", "explain http://web.services.haystack/", "help")


class Watched:
    """A Haystack whose processes tell what they import, before the service `web`."""

    def __init__(self, folder: Path, haystack: Haystack) -> None:
        self.folder, self.haystack = folder, haystack

    def control(self, thread: str = "main") -> list[str]:
        """What the control process has looked for in the loop's thread, or in others."""
        return self._told("control", self.haystack.process.pid, thread)

    def worker(self) -> list[str]:
        """What the worker has looked for; it has one thread."""
        (pid,) = self.haystack.workers()
        return self._told("worker", pid, "main")

    def _told(self, role: str, pid: int, thread: str) -> list[str]:
        lines = (self.folder / f"{role}-{pid}").read_text().splitlines()
        return [name for name, by in map(str.split, lines) if by == thread]

    def ssh(self, *words: str, typed: str = "") -> str:
        """OpenSSH's client: one command, or a session with a terminal in which this is typed."""
        key = ["-i", str(self.folder / "key"), "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none"]
        known = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-o", "BatchMode=yes"]
        port = str(self.haystack.wait("ready")["ssh"])
        command = ["ssh", "-F", "none", *key, *known, "-p", port, *(["-tt"] if typed else []), "anyone@127.0.0.1", *words]
        return subprocess.run(command, input=typed, text=True, capture_output=True, timeout=120, check=False).stdout


@pytest.fixture
def watched(origin: Origin, tmp_path: Path) -> Iterator[Watched]:
    made = asyncssh.generate_private_key("ssh-ed25519")
    made.write_private_key(tmp_path / "key")
    made.write_public_key(tmp_path / "keys")
    (tmp_path / "key").chmod(0o600)
    (tmp_path / "sitecustomize.py").write_text(SITE.format(folder=tmp_path))
    keys = {"HAYSTACK_SSH_AUTHORIZED_KEYS_FILE": str(tmp_path / "keys")}
    with Haystack([Member("web", origin.port)], PYTHONPATH=str(tmp_path), **keys) as haystack:
        yield Watched(tmp_path, haystack)


def test_a_worker_imports_what_it_uses(watched: Watched) -> None:
    """Settings and log took half of its memory: of the one it needs nothing, of the other a record."""
    found = watched.worker()
    assert "haystack.proxy.worker" in found
    assert {name.partition(".")[0] for name in found} & NOT_IN_WORKERS == set()
    assert {name.split(".")[1] for name in found if name.startswith("haystack.")} == ROOMS
    assert len(set(found)) < MOST_IN_WORKERS


def test_a_start_without_an_engine_imports_neither_docker_nor_what_edits_lines(watched: Watched) -> None:
    found = {name.partition(".")[0] for name in [*watched.control(), *watched.control("other")]}
    assert "asyncssh" in found
    assert found & {"docker", "requests", "urllib3", "prompt_toolkit"} == set()


def test_a_start_imports_nothing_that_only_pages_shell_or_certificates_need(origin: Origin, tmp_path: Path) -> None:
    """Half a second of a start, and 20 MiB; each of them comes with who needs it first."""
    (tmp_path / "sitecustomize.py").write_text(SITE.format(folder=tmp_path))
    haystack = Haystack([Member("web", origin.port)], PYTHONPATH=str(tmp_path))
    watched = Watched(tmp_path, haystack)
    haystack.wait("ready")
    names = {*watched.control(), *watched.control("other")}
    with haystack:  # it is asked for /readyz first
        assert {name.partition(".")[0] for name in names} & NOT_AT_START == set()
        assert "rich.console" not in names  # rich alone is looked for, and not found
        assert "starlette" in watched.control("other")
        assert "asyncssh" not in watched.control("other")


@pytest.mark.parametrize("on", [True, False])
def test_spans_are_imported_by_their_own_thread_and_only_where_they_are_recorded(origin: Origin, tmp_path: Path, on: bool) -> None:
    (tmp_path / "sitecustomize.py").write_text(SITE.format(folder=tmp_path))
    with Collector() as collector:
        settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_SDK_DISABLED": "false" if on else "true"}
        with Haystack([Member("web", origin.port)], PYTHONPATH=str(tmp_path), **settings) as haystack:
            watched = Watched(tmp_path, haystack)
            with Client(haystack.port) as client:
                assert client.get(host("web")).status == 200
            if on:
                collector.wait(2)
            found = [
                {name.partition(".")[0] for name in names} for names in (watched.control(), watched.worker(), watched.control("other"))
            ]
    assert ["opentelemetry" in names for names in found] == [False, False, on]
    assert bool(collector.requests) == on


@pytest.mark.skipif(shutil.which("ssh") is None, reason="OpenSSH's client is not installed")
def test_no_loop_imports_anything_while_it_serves(watched: Watched) -> None:
    """An import would hold it, be it for the web side's first request or for the shell's first login."""
    control, worker = len(watched.control()), len(watched.worker())
    with Client(watched.haystack.port) as client:
        assert client.get(host("web")).status == 200
        for path in WHAT_SERVES:
            assert client.get("localhost", path).status in (200, 307, 404)
    assert [words for words in COMMANDS if not watched.ssh(words)] == []
    assert host("web") in watched.ssh(typed="services\nexit\n")
    assert "prompt_toolkit" in watched.control("other")
    assert (watched.control()[control:], watched.worker()[worker:]) == ([], [])

"""`haystack healthcheck`: what it says of a Haystack that runs, and of one that does not, whatever its ports are."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fakes.client import Client
from tests.fakes.engine import FakeEngine, inspected
from tests.fakes.origin import Origin
from tests.fakes.worker import Haystack, Member, command, halt, until, wake

LIMIT = 30.0
HEAVY = {"pydantic", "docker", "msgspec", "structlog", "asyncio", "argparse", "haystack.settings"}


def check(state: Path, *words: str, **more: str) -> tuple[int, str]:
    """Its status, and what it says."""
    environment = {"PATH": os.environ["PATH"], "HAYSTACK_STATE_DIR": str(state)} | more
    done = subprocess.run(
        [command()[0], "healthcheck", *words], env=environment, capture_output=True, text=True, timeout=LIMIT, check=False
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr


def says(state: Path, status: int, text: str) -> Callable[[], bool]:
    return lambda: (found := check(state))[0] == status and text in found[1]


@pytest.mark.parametrize(
    "settings",
    [{}, {"HAYSTACK_ADMIN": "off"}, {"HAYSTACK_BIND": "127.0.0.2"}, {"HAYSTACK_WORKERS": "2", "HAYSTACK_HTTP_PORT": "0"}],
    ids=["usual", "admin-off", "other-bind", "two-workers"],
)
def test_one_that_runs_is_well_whatever_its_ports_and_pages(origin: Origin, settings: dict[str, str]) -> None:
    haystack = Haystack([Member("web", origin.port)], **settings)
    haystack._readyz = lambda: 200  # type: ignore[method-assign] # not every one of them has that page here
    with haystack:
        status, said = check(haystack.state)
        assert (status, said.count("\n")) == (0, 1)
        assert "1 container" in said
        assert check(Path("/nowhere"), f"--state-dir={haystack.state}")[0] == 0
        assert check(Path("/nowhere"), "--state-dir", str(haystack.state))[0] == 0
    status, said = check(haystack.state)
    assert status == 1
    assert "no answer at" in said


def test_an_engine_that_goes_away_is_told_by_it_and_by_readyz_which_stays_ready() -> None:
    """What is known is served on, so traffic may come; but somebody has to look."""
    with FakeEngine() as engine:
        engine.add(inspected(1, "one"), event=False)
        with Haystack([], HAYSTACK_STATIC="", DOCKER_HOST=engine.host) as haystack:
            until(says(haystack.state, 0, "healthy"), LIMIT, "it is not well")
            engine.down()
            until(says(haystack.state, 1, f"{engine.host} does not answer"), LIMIT, "the check does not tell")
            with Client(haystack.port) as client:
                page = client.get("localhost", "/readyz")
            assert (page.status, b"does not answer" in page.body, engine.host.encode() in page.body) == (200, True, False)
            engine.up()
            until(says(haystack.state, 0, "healthy"), LIMIT, "it is not well again")


def test_an_engine_that_never_answered_is_told() -> None:
    haystack = Haystack([], HAYSTACK_STATIC="", DOCKER_HOST="tcp://127.0.0.1:1")
    haystack._readyz = lambda: 200  # type: ignore[method-assign] # it never will be
    with haystack:
        status, said = check(haystack.state)
        assert status == 1
        assert "tcp://127.0.0.1:1 does not answer: connection refused" in said


def test_workers_that_die_are_told_though_each_is_replaced(origin: Origin) -> None:
    with Haystack([Member("web", origin.port)]) as haystack:
        for _ in range(3):
            (worker,) = haystack.workers()
            os.kill(worker, signal.SIGKILL)
            until(lambda old=worker: haystack.workers() not in ([], [old]), LIMIT, "it is not replaced")
        until(says(haystack.state, 1, "worker 0 died 3 times in the last minute: killed by signal 9"), LIMIT, "the check does not tell")

        def told() -> bool:
            with Client(haystack.port) as client:
                return b"3 times in the last minute" in client.get("localhost", "/readyz").body

        until(told, LIMIT, "/readyz does not tell")


def test_one_that_hangs_is_not_well(origin: Origin) -> None:
    with Haystack([Member("web", origin.port)]) as haystack:
        halt(haystack.process.pid)
        try:
            status, said = check(haystack.state)
        finally:
            wake(haystack.process.pid)
        assert status == 1
        assert "does not answer within" in said


def test_healthcheck_imports_little(tmp_path: Path) -> None:
    """It runs every ten seconds beside who serves."""
    code = "import sys; from haystack.cli import main; main(['healthcheck']); print(*sys.modules)"
    environment = {"HAYSTACK_STATE_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=LIMIT, check=True)
    assert "no answer at" in done.stdout
    assert not HEAVY & set(done.stdout.split())


@pytest.mark.parametrize("words", [["--nonsense"], ["--state-dir"], ["--state-dir=", "x", "y"], ["x"]])
def test_a_bad_command_line_is_one_line_and_status_2(words: list[str], tmp_path: Path) -> None:
    status, said = check(tmp_path, *words)
    assert (status, said.count("\n")) == (2, 1)

"""A Haystack that runs as another user than who asks: `docker exec` is root, or whoever is named, whatever user the container has."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.folders import open_to_all
from tests.fakes.origin import Origin
from tests.fakes.worker import Member, command, environment, until

RUNS, OTHER = 65534, 65533
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")


def by(user: int) -> list[str]:
    """What starts a command as this user, who may read root's files, for the interpreter may be in root's home."""
    reads = [f"--{kind}-caps=+dac_read_search" for kind in ("inh", "ambient")]
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", *reads] if user else []


def check(user: int, settings: dict[str, str]) -> tuple[int, str]:
    """What `haystack healthcheck` says to this user."""
    words = [*by(user), command()[0], "healthcheck"]
    done = subprocess.run(words, env=settings, capture_output=True, text=True, timeout=30, check=False)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder near the root: the path of a socket has 107 bytes at most."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.fixture
def runs(origin: Origin, tmp_path: Path, short: Path) -> Iterator[tuple[Path, dict[str, str]]]:
    """One whose control socket is not in its state folder: the folder it is in, and the settings."""
    temporary, state, static = short, tmp_path / ("x" * 100), tmp_path / "static.toml"
    state.mkdir()
    for folder in (temporary, state):
        os.chown(folder, RUNS, RUNS)
    open_to_all(tmp_path)
    temporary.chmod(0o1777)
    static.write_text(Member("web", origin.port).toml(0))
    settings = environment(static, state, {"TMPDIR": str(temporary)})
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen([*by(RUNS), *command()], env=settings, stderr=log)
    try:
        until(lambda: '"ready"' in (tmp_path / "log").read_text() or process.poll() is not None, 40, "it never got ready")
        (folder,) = temporary.glob(f"haystack-{RUNS}-*")
        yield folder, settings
    finally:
        process.terminate()
        try:
            status = process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            status = process.wait()
    assert status == 0, (tmp_path / "log").read_text()


def test_its_health_is_told_to_root_and_to_itself_and_others_are_told_whom_to_ask_as(runs: tuple[Path, dict[str, str]]) -> None:
    """Root looked where its own socket would be, and found nobody."""
    folder, settings = runs
    assert [check(user, settings)[0] for user in (RUNS, 0)] == [0, 0]
    status, said = check(OTHER, settings)
    assert status == 1
    assert said == (
        f"can't ask at {folder}/control.sock: permission denied: do so as user {RUNS} or as root"
        f" (in a container: docker exec --user {RUNS})\n"
    )


def test_its_workers_can_neither_look_into_it_nor_take_over(runs: tuple[Path, dict[str, str]]) -> None:
    """All of them are the same user here: /proc/PID/mem is root's of a process that ptrace(2) is kept from."""
    folder, _ = runs
    owners = {
        (each / "comm").read_text().strip(): (each / "mem").stat().st_uid
        for each in Path("/proc").iterdir()
        if each.name.isdigit() and str(folder.parent).encode() in _environ(each)
    }
    assert owners.pop("haystack") == 0
    assert set(owners) <= {"haystack-worker", "haystack-spare", "python"}


def _environ(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes() and (process / "environ").read_bytes()
    except OSError:
        return b""

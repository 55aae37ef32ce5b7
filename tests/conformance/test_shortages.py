"""What a system may not have for Haystack: one line says what is missing, and no traceback."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from haystack.net import descriptors
from tests.fakes.client import Client
from tests.fakes.origin import Origin
from tests.fakes.worker import STARTED, Haystack, Member, command, environment, host, limited, until

NO_THREADS = """
import threading


def refuse(*_, **_named):
    raise RuntimeError("can't start new thread")


# Python 3.13 has the second one
for name in {"_start_new_thread", "_start_joinable_thread"} & vars(threading).keys():
    setattr(threading, name, refuse)
"""
# nowhere to write, in the current folder neither
SEALED = """
for each in /tmp /var/tmp /usr/tmp /dev/shm; do
    test -d $each || continue
    mount -o bind $each $each && mount -o remount,bind,ro $each || exit 99
done
cd /proc && exec "$@"
"""
root = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="only root may mount")
Started = subprocess.CompletedProcess[str]


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., Started]:
    """Start it behind these words, and wait for its end."""

    def started(*words: str, **settings: str) -> Started:
        static = tmp_path / "static.toml"
        static.write_text(Member("web", 1).toml(0))
        env = environment(static, tmp_path / "state", settings)
        return subprocess.run([*words, *command()], env=env, capture_output=True, timeout=120, check=False, text=True)

    return started


@pytest.mark.parametrize("limit", [8, 16, 40, 100])
def test_a_limit_of_open_files_that_is_too_low_is_told_with_the_one_that_will_do(start: Callable[..., Started], limit: int) -> None:
    ended = start(*limited(f"-n {limit}"))
    needed = descriptors.needed(1, 0, 6)
    (line,) = ended.stderr.splitlines()
    assert line.startswith(f"haystack: the limit of open files is {limit}, and HAYSTACK_WORKERS=1 needs {needed} at least: raise it with ")
    assert ended.returncode == 2


def test_with_the_lowest_limit_it_serves(origin: Origin) -> None:
    with (
        Haystack([Member("web", origin.port)], descriptors=f"-n {descriptors.needed(1, 0, 6)}") as haystack,
        Client(haystack.port) as client,
    ):
        assert client.get(host("web")).status == 200


def test_where_no_thread_can_be_started_one_line_says_so(start: Callable[..., Started], tmp_path: Path) -> None:
    """As with --pids-limit=1, or `ulimit -u`, which does not hold root."""
    (tmp_path / "sitecustomize.py").write_text(NO_THREADS)
    ended = start(PYTHONPATH=str(tmp_path))
    assert ended.stderr.splitlines()[-1].startswith("haystack: can't start new thread: raise the limit of processes (`ulimit -u`")
    assert "Traceback" not in ended.stderr
    assert ended.returncode == 1


STRANGE = {
    "a chroot without /proc": ["unshare", "-m", "sh", "-c", 'mount -t tmpfs none /proc && exec "$@"', "sh"],
    "a user namespace without other users": ["unshare", "-Ur"],
}


@root
@pytest.mark.parametrize("where", STRANGE)
def test_where_nobody_else_can_be_it_serves(origin: Origin, tmp_path: Path, where: str) -> None:
    """That its workers keep their privileges is told."""
    static = tmp_path / "static.toml"
    static.write_text(Member("web", origin.port).toml(0))
    log = tmp_path / "log"
    words = [*STRANGE[where], *command()]
    with log.open("w") as out:
        process = subprocess.Popen(words, env=environment(static, tmp_path / "state", {}), stderr=out)
    STARTED.append(process)
    try:
        until(lambda: '"event":"ready"' in log.read_text().replace(" ", "") or process.poll() is not None, 40, "it never got ready")
        assert "Traceback" not in log.read_text()
        assert process.poll() is None
        assert "workers.privileged" in log.read_text()
    finally:
        process.terminate()
        assert process.wait(20) == 0


@root
def test_where_no_temporary_folder_can_be_written_one_line_says_so(start: Callable[..., Started]) -> None:
    """A library that makes such a file as it is imported ended the start with a traceback."""
    ended = start("unshare", "-m", "sh", "-c", SEALED, "sh")
    (line,) = ended.stderr.splitlines()
    assert line.startswith("haystack: no folder for temporary files and sockets can be written, last tried /dev/shm (")
    assert ended.returncode == 1


@root
def test_workers_reach_the_web_side_though_temporary_files_are_for_root_alone(origin: Origin, tmp_path: Path) -> None:
    """TMPDIR with mode 0700: the page, /metrics and /readyz were 502."""
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    with Haystack([Member("web", origin.port)], TMPDIR=str(private)) as haystack, Client(haystack.port) as client:
        assert client.get("localhost", "/api/info").status == 200


@root
def test_a_long_name_of_the_temporary_folder_is_no_hindrance(origin: Origin, tmp_path: Path) -> None:
    """The name of a unix socket has 107 bytes (unix(7))."""
    long = tmp_path / ("x" * 90)
    long.mkdir(mode=0o755)
    with Haystack([Member("web", origin.port)], TMPDIR=str(long)) as haystack, Client(haystack.port) as client:
        assert client.get("localhost", "/api/info").status == 200

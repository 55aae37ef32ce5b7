"""Worker processes parse what strangers send: they are the same Haystack wherever it is started, and hold nothing that they don't need."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.fakes.client import Client
from tests.fakes.origin import Origin
from tests.fakes.processes import called, children, held
from tests.fakes.worker import Haystack, Member, command, environment, host, until

SECRETS = {"DOCKER_KEY_PATH": "s3cret", "HAYSTACK_SOMETHING": "s3cret", "AWS_SECRET_ACCESS_KEY": "s3cret"}
# what Python runs first; it ends the processes that are started as workers, from the moment that a file is there
FATAL = """
import os, sys
if any(word.endswith("launch.py") for word in sys.orig_argv) and os.path.exists({flag!r}):
    os._exit(23)
"""


def fields(pid: int, name: str) -> dict[str, str]:
    """One of the tables that /proc has of a process, by its rows' first words."""
    lines = Path(f"/proc/{pid}/{name}").read_text().splitlines()
    return {line.partition(":")[0] if name == "status" else line[:26].strip(): line for line in lines}


@pytest.fixture
def fatal(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """The flag that has workers die as they start, and the settings that make it so."""
    flag = tmp_path / "flag"
    (tmp_path / "sitecustomize.py").write_text(FATAL.format(flag=str(flag)))
    return flag, {"PYTHONPATH": str(tmp_path)}


@pytest.mark.parametrize("which", ["worker", "spare"])
def test_a_worker_has_no_secret_no_privilege_and_no_core(origin: Origin, which: str) -> None:
    with Haystack([Member("web", origin.port)], **SECRETS) as haystack:
        until(lambda: len(children(haystack.process.pid)) == 2, 10, "no spare")
        pids = haystack.workers() if which == "worker" else [p for p in children(haystack.process.pid) if p not in haystack.workers()]
        (pid,) = pids
        until(lambda: "haystack-" in called(pid), 10, "it never got ready")
        status = fields(pid, "status")
        assert b"s3cret" not in Path(f"/proc/{pid}/environ").read_bytes()
        assert status["NoNewPrivs"].split()[1] == "1"
        assert fields(pid, "limits")["Max core file size"].split()[4:6] == ["1", "1"]
        if os.geteuid() == 0:
            assert "0" not in status["Uid"].split()[1:]
            assert "0" not in status["Gid"].split()[1:]
            assert status["Groups"].split()[1:] == []
            assert int(status["CapEff"].split()[1], 16) == int(status["CapPrm"].split()[1], 16) == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_only_the_workers_user_and_root_reach_the_web_sides_socket(origin: Origin) -> None:
    with Haystack([Member("web", origin.port)]) as haystack:
        (worker,) = haystack.workers()
        own = held(haystack.process.pid)  # others may have such a socket as well
        rows = (line.split() for line in Path(f"/proc/{haystack.process.pid}/net/unix").read_text().splitlines())
        path = Path(next(row[-1] for row in rows if row[-1].endswith("admin.sock") and f"socket:[{row[-2]}]" in own))
        group = int(fields(worker, "status")["Gid"].split()[1])
        assert (path.stat().st_gid, path.stat().st_mode & 0o777) == (group, 0o660)
        assert (path.parent.stat().st_gid, path.parent.stat().st_mode & 0o777) == (group, 0o710)


def test_a_folder_named_haystack_is_not_taken_for_haystack(origin: Origin, tmp_path: Path) -> None:
    """Workers imported whatever lay in the current folder, died, and were started again for ever."""
    for name in ("haystack", "asyncio", "uvloop"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('the wrong one')\n")
    with Haystack([Member("web", origin.port)], cwd=tmp_path) as haystack, Client(haystack.port) as client:
        assert client.get(host("web")).status == 200


def test_where_no_worker_starts_haystack_says_so_and_ends(origin: Origin, fatal: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    flag, settings = fatal
    flag.touch()
    (tmp_path / "static.toml").write_text(Member("web", origin.port).toml(0))
    ended = subprocess.run(
        command(),
        env=environment(tmp_path / "static.toml", tmp_path / "state", settings),
        capture_output=True,
        timeout=40,
        check=False,
        text=True,
    )
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == "haystack: no worker starts: worker 0 died 3 times in a row: it ended with status 23"
    assert '"ready"' not in ended.stderr


def test_one_whose_workers_do_not_start_replaces_nobody(origin: Origin, fatal: tuple[Path, dict[str, str]]) -> None:
    flag, settings = fatal
    with Haystack([Member("web", origin.port)]) as old:
        flag.touch()
        static = Path(old.folder.name) / "static.toml"
        ended = subprocess.run(
            [*command(), "--replace"],
            env=environment(static, old.state, settings),
            capture_output=True,
            timeout=120,
            check=False,
            text=True,
        )
        assert ended.returncode == 1
        assert "nothing was replaced: no worker starts" in ended.stderr.splitlines()[-1]
        with Client(old.port) as client:
            assert client.get(host("web")).status == 200


def test_a_worker_that_dies_again_and_again_is_told_by_readyz(origin: Origin, fatal: tuple[Path, dict[str, str]]) -> None:
    """The other one serves; but who the kernel hands to the dead one's sockets waits."""
    flag, settings = fatal
    with Haystack([Member("web", origin.port)], HAYSTACK_WORKERS="2", **settings) as haystack:
        until(lambda: len(children(haystack.process.pid)) == 3, 10, "no spare")
        flag.touch()
        victim, other = haystack.workers()
        for pid in set(children(haystack.process.pid)) - {other}:
            os.kill(pid, signal.SIGKILL)
        until(lambda: "times in a row: it ended with status 23" in _reasons(haystack.port), 20, "/readyz does not tell")
        flag.unlink()
        until(lambda: '"ready"' in _reasons(haystack.port), 20, "/readyz does not forget")
    assert victim


def _reasons(port: int) -> str:
    """What /readyz says, if the connection came to a worker that lives."""
    try:
        with Client(port, timeout=0.5) as client:
            return client.get("localhost", "/readyz").body.decode()
    except OSError:
        return ""

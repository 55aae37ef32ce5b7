"""What a start does before the rest of it is imported: workers' processes begin, and those that nobody takes are ended."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from haystack.settings.settings import load
from haystack.startup import bootstrap

# Nothing is served: a port is taken. What it says is whether the rest was imported when the first worker began.
ORDER = """
import sys
from haystack.command_line import commands
from haystack.startup import bootstrap, unprivileged

def spawn(account):
    print("haystack.app" in sys.modules)
    raise OSError("no more of them")

bootstrap.spawn, unprivileged.go_on = spawn, lambda settings: None
status = commands.main(["run", *sys.argv[1:]])
print("haystack.app" in sys.modules, status)
"""


@pytest.fixture
def quiet(monkeypatch):
    """Nobody gives anything up, and the log stays as it is."""
    monkeypatch.setattr(bootstrap.unprivileged, "go_on", lambda _settings: None)
    monkeypatch.setattr(bootstrap.logs, "configure", lambda *_: None)


def test_workers_begin_before_the_rest_is_imported(tmp_path):
    static = tmp_path / "static.toml"
    static.write_text("")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        flags = ["--static", str(static), "--state-dir", str(tmp_path), "--bind", "127.0.0.1", "--http-port", port]
        done = subprocess.run([sys.executable, "-c", ORDER, *flags], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.splitlines() == ["False", "True 1"], done.stderr


@pytest.mark.usefixtures("quiet")
def test_a_process_for_each_worker_and_none_is_left(tmp_path):
    with bootstrap.begun(load({"workers": "2", "state_dir": str(tmp_path)})) as processes:
        pids = [each.process.pid for each in processes]
        assert [each.alive for each in processes] == [True, True]
        taken = processes.pop()
    assert taken.alive
    taken.drop()
    assert [pid for pid in pids if Path(f"/proc/{pid}").exists()] == []


@pytest.mark.usefixtures("quiet")
def test_one_that_replaces_another_has_none_yet(tmp_path):
    with bootstrap.begun(load({"workers": "2", "state_dir": str(tmp_path)}), replace=True) as processes:
        assert processes == []


@pytest.mark.usefixtures("quiet")
def test_those_that_have_begun_stay_where_the_next_one_can_not(tmp_path, monkeypatch):
    first, spawn = [], bootstrap.spawn

    def scarce(account):
        if first:
            raise OSError("no more processes")
        first.append(spawn(account))
        return first[0]

    monkeypatch.setattr(bootstrap, "spawn", scarce)
    with bootstrap.begun(load({"workers": "3", "state_dir": str(tmp_path)})) as processes:
        assert processes == first
    assert not first[0].alive

"""What a worker process is left with."""

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from haystack.proxy import sandbox, worker_slot

STATUS = "Name:\tx\nCapEff:\t{:016x}\n"


def test_the_environment_keeps_what_python_and_the_c_library_read():
    whole = {"PATH": "/bin", "PYTHONPATH": "/x", "LC_ALL": "C", "TZ": "UTC", "ASAN_OPTIONS": "x=1", "LD_PRELOAD": "libx.so"}
    assert sandbox.environment(whole) == whole


def test_the_environment_keeps_no_secret():
    assert (
        sandbox.environment({"DOCKER_KEY": "x", "HAYSTACK_SSH_AUTHORIZED_KEYS": "x", "AWS_TOKEN": "x", "DOCKER_HOST": "tcp://u:p@h"}) == {}
    )


@pytest.mark.parametrize(
    ("bits", "lacking"),
    [((1 << 41) - 1, []), (0, ["CAP_CHOWN", "CAP_SETGID", "CAP_SETUID"]), (1 << 0 | 1 << 7, ["CAP_SETGID"])],
)
def test_root_without_capabilities_is_known(tmp_path, bits, lacking):
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "status").write_text(STATUS.format(bits))
    assert sandbox.missing(tmp_path) == lacking


def test_who_is_not_root_has_workers_of_the_same_user(monkeypatch):
    monkeypatch.setattr(sandbox.os, "geteuid", lambda: 1000)
    assert sandbox.account() is None


def test_root_has_workers_of_nobodys(monkeypatch, tmp_path):
    monkeypatch.setattr(sandbox.os, "geteuid", lambda: 0)
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "status").write_text(STATUS.format((1 << 41) - 1))
    found = sandbox.account(tmp_path)
    assert found is not None
    assert found.uid > 0 < found.gid


def test_root_without_capabilities_keeps_its_workers(monkeypatch, tmp_path):
    monkeypatch.setattr(sandbox.os, "geteuid", lambda: 0)
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "status").write_text(STATUS.format(0))
    assert sandbox.account(tmp_path) is None


@pytest.mark.parametrize(
    ("status", "told"), [(23, "it ended with status 23"), (-9, "killed by signal 9 (Killed)"), (None, "it could not be started")]
)
def test_an_end_is_told_in_words(status, told):
    assert worker_slot.ended(status) == told


@pytest.fixture
def read_only(monkeypatch):
    """Nothing can be written in any folder that is meant for that, as in a container with --read-only."""

    def none():
        raise FileNotFoundError

    monkeypatch.setattr(sandbox.tempfile, "tempdir", None)
    monkeypatch.setattr(sandbox.tempfile, "_get_default_tempdir", none)


def test_the_sockets_folder_is_in_memory_where_nothing_can_be_written(read_only):
    sandbox.choose_temporary()
    with sandbox.folder() as made:
        assert made.parent == Path("/dev/shm")  # noqa: S108
    assert not made.exists()


STARTED = """import sys, tempfile
tempfile._candidate_tempdir_list = lambda: ["/proc/none"]
from haystack.cli import main
main(["help"])
sys.exit(tempfile.gettempdir())"""


def test_memory_is_chosen_before_libraries_are_imported_that_write_temporary_files():
    """asyncssh does, where the image has a compiler: ctypes.util.find_library."""
    done = subprocess.run([sys.executable, "-c", STARTED], capture_output=True, text=True, check=False, timeout=60)
    assert (done.stderr, "usage: haystack" in done.stdout) == ("/dev/shm\n", True)  # noqa: S108 - as above


def test_where_no_folder_can_be_made_one_line_says_what_to_do(monkeypatch, read_only, tmp_path):
    monkeypatch.setattr(sandbox, "MEMORY", tmp_path / "missing")
    with pytest.raises(sandbox.FolderError, match="--tmpfs /tmp") as raised:
        sandbox.choose_temporary()
    assert "\n" not in str(raised.value)


OTHER = sandbox.Account("somebody", 61_234, 61_234)


@pytest.fixture
def place():
    """A folder below one that everybody may pass."""
    with tempfile.TemporaryDirectory(dir="/tmp") as made:
        yield Path(made)


@pytest.mark.parametrize(("mode", "passed"), [(0o700, False), (0o770, False), (0o744, False), (0o711, True), (0o755, True)])
def test_sockets_are_where_the_workers_can_pass(place, mode, passed):
    inner = place / "inner"
    inner.mkdir()
    place.chmod(mode)
    told = sandbox.unfit(inner, OTHER)
    assert told == ("" if passed else f"user somebody can't pass {place}")
    assert sandbox.unfit(inner, None) == ""


def test_the_sockets_folder_is_elsewhere_where_temporary_files_are_for_root_alone(monkeypatch, place):
    place.chmod(0o700)
    monkeypatch.setattr(sandbox.tempfile, "tempdir", str(place))
    monkeypatch.setattr(sandbox, "account", lambda: OTHER)
    monkeypatch.setattr(sandbox.os, "chown", lambda *_: None)
    with sandbox.folder() as made:
        assert made.parent != place


def test_no_socket_has_a_name_that_is_too_long(place):
    assert sandbox.unfit(place / ("x" * 90), None) == "its name is too long for sockets in it"


def test_without_proc_nothing_tells_of_capabilities(tmp_path):
    assert sandbox.missing(tmp_path / "missing") == ["CAP_CHOWN", "CAP_SETGID", "CAP_SETUID"]

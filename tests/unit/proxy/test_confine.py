"""What a worker process is left with."""

import subprocess
import sys
from pathlib import Path

import pytest

from haystack.proxy import confine, slot

STATUS = "Name:\tx\nCapEff:\t{:016x}\n"


def test_the_environment_keeps_what_python_and_the_c_library_read():
    whole = {"PATH": "/bin", "PYTHONPATH": "/x", "LC_ALL": "C", "TZ": "UTC", "ASAN_OPTIONS": "x=1", "LD_PRELOAD": "libx.so"}
    assert confine.environment(whole) == whole


def test_the_environment_keeps_no_secret():
    assert (
        confine.environment({"DOCKER_KEY": "x", "HAYSTACK_SSH_AUTHORIZED_KEYS": "x", "AWS_TOKEN": "x", "DOCKER_HOST": "tcp://u:p@h"}) == {}
    )


@pytest.mark.parametrize(
    ("bits", "lacking"),
    [((1 << 41) - 1, []), (0, ["CAP_CHOWN", "CAP_SETGID", "CAP_SETUID"]), (1 << 0 | 1 << 7, ["CAP_SETGID"])],
)
def test_root_without_capabilities_is_known(tmp_path, bits, lacking):
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "status").write_text(STATUS.format(bits))
    assert confine.missing(tmp_path) == lacking


def test_who_is_not_root_has_workers_of_the_same_user(monkeypatch):
    monkeypatch.setattr(confine.os, "geteuid", lambda: 1000)
    assert confine.account() is None


def test_root_has_workers_of_nobodys(monkeypatch, tmp_path):
    monkeypatch.setattr(confine.os, "geteuid", lambda: 0)
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "status").write_text(STATUS.format((1 << 41) - 1))
    found = confine.account(tmp_path)
    assert found is not None
    assert found.uid > 0 < found.gid


def test_root_without_capabilities_keeps_its_workers(monkeypatch, tmp_path):
    monkeypatch.setattr(confine.os, "geteuid", lambda: 0)
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "status").write_text(STATUS.format(0))
    assert confine.account(tmp_path) is None


@pytest.mark.parametrize(
    ("status", "told"), [(23, "it ended with status 23"), (-9, "killed by signal 9 (Killed)"), (None, "it could not be started")]
)
def test_an_end_is_told_in_words(status, told):
    assert slot.ended(status) == told


@pytest.fixture
def read_only(monkeypatch):
    """Nothing can be written in any folder that is meant for that, as in a container with --read-only."""

    def none():
        raise FileNotFoundError

    monkeypatch.setattr(confine.tempfile, "tempdir", None)
    monkeypatch.setattr(confine.tempfile, "_get_default_tempdir", none)


def test_the_sockets_folder_is_in_memory_where_nothing_can_be_written(read_only):
    confine.choose_temporary()
    with confine.folder() as made:
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
    monkeypatch.setattr(confine, "MEMORY", tmp_path / "missing")
    confine.choose_temporary()
    with pytest.raises(confine.FolderError, match="--tmpfs /tmp") as raised, confine.folder():
        pass
    assert "\n" not in str(raised.value)

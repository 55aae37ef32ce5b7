"""Where sockets and temporary files are."""

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from haystack.proxy import socket_folder
from haystack.proxy.account import Account


@pytest.fixture
def read_only(monkeypatch):
    """Nothing can be written in any folder that is meant for that, as in a container with --read-only."""

    def none():
        raise FileNotFoundError

    monkeypatch.setattr(socket_folder.tempfile, "tempdir", None)
    monkeypatch.setattr(socket_folder.tempfile, "_get_default_tempdir", none)


def test_the_sockets_folder_is_in_memory_where_nothing_can_be_written(read_only):
    socket_folder.choose_temporary()
    with socket_folder.folder() as made:
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
    monkeypatch.setattr(socket_folder, "MEMORY", tmp_path / "missing")
    with pytest.raises(socket_folder.FolderError, match="--tmpfs /tmp") as raised:
        socket_folder.choose_temporary()
    assert "\n" not in str(raised.value)


OTHER = Account("somebody", 61_234, 61_234)


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
    told = socket_folder.unfit(inner, OTHER)
    assert told == ("" if passed else f"user somebody can't pass {place}")
    assert socket_folder.unfit(inner, None) == ""


def test_the_sockets_folder_is_elsewhere_where_temporary_files_are_for_root_alone(monkeypatch, place):
    place.chmod(0o700)
    monkeypatch.setattr(socket_folder.tempfile, "tempdir", str(place))
    monkeypatch.setattr(socket_folder.account, "account", lambda: OTHER)
    monkeypatch.setattr(socket_folder.os, "chown", lambda *_: None)
    with socket_folder.folder() as made:
        assert made.parent != place


def test_no_socket_has_a_name_that_is_too_long(place):
    assert socket_folder.unfit(place / ("x" * 90), None) == "its name is too long for sockets in it"

"""Files with secrets: whole or not at all, and for this user alone."""

import os
import stat

import pytest

from haystack.tls import private_file


@pytest.mark.parametrize("write", [private_file.write, private_file.create])
def test_file_and_folders_are_for_this_user_alone(write, tmp_path):
    before = os.umask(0)
    try:
        write(tmp_path / "a" / "key", b"secret")
    finally:
        os.umask(before)
    assert (tmp_path / "a" / "key").read_bytes() == b"secret"
    assert [stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "a", tmp_path / "a" / "key")] == [0o700, 0o600]


def test_one_that_is_there_is_replaced_or_left_alone(tmp_path):
    private_file.write(tmp_path / "key", b"one")
    private_file.write(tmp_path / "key", b"two")
    assert private_file.create(tmp_path / "key", b"three") is False
    assert (tmp_path / "key").read_bytes() == b"two"
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_one_that_can_not_be_written_leaves_nothing_behind(tmp_path, monkeypatch):
    private_file.write(tmp_path / "key", b"one")

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        private_file.write(tmp_path / "key", b"two")
    assert [path.name for path in tmp_path.iterdir()] == ["key"]
    assert (tmp_path / "key").read_bytes() == b"one"

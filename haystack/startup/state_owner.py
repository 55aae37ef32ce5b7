"""Makes the state folder another user's, with what root's Haystacks have left in it. Never changes a mode, and reads no file.

Everything is reached by descriptors from the folder on, for once it is the other user's, that user may put links anywhere in it: a path
could lead to somebody else's file. What has further names (hard links), or is of another file system, stays as it is.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import structlog

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
DEEPEST = 16  # folders in each other; Haystack's own are four
_log = structlog.get_logger("haystack")


def give(folder: Path, uid: int, gid: int) -> list[Path]:
    """Make it, and what is root's in it, this user's: files and folders that are not that user's even then.

    Where it can't be done, it stays as it is.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        at = os.open(folder, FOLDER)
    except OSError as error:
        _log.debug("state.kept", reason=str(error))
        return []
    try:
        return list(_Gift(uid, gid, os.fstat(at).st_dev).all_in(at, folder))
    except OSError as error:
        _log.debug("state.kept", reason=str(error))
        return [folder]
    finally:
        os.close(at)


class _Gift:
    def __init__(self, uid: int, gid: int, device: int) -> None:
        self._uid, self._gid, self._device = uid, gid, device

    def all_in(self, at: int, path: Path, depth: int = 0) -> Iterator[Path]:
        """What is in an open folder, then the folder itself: a root without CAP_DAC_OVERRIDE can't look into one that it has given away."""
        for name in os.listdir(at):
            yield from self._one(name, at, path / name, depth)
        self._fd(at, path)

    def _one(self, name: str, at: int, path: Path, depth: int) -> Iterator[Path]:
        try:
            seen = os.stat(name, dir_fd=at, follow_symlinks=False)
            if stat.S_ISDIR(seen.st_mode):
                yield from self._below(name, at, path, depth)
            elif stat.S_ISREG(seen.st_mode) and seen.st_uid != self._uid and not self._file(name, at, path):
                yield path
        except OSError as error:  # it has gone, or only its owner gets in
            _log.debug("state.kept", reason=f"{path}: {error.strerror}")

    def _below(self, name: str, at: int, path: Path, depth: int) -> Iterator[Path]:
        inner = os.open(name, FOLDER, dir_fd=at)
        try:
            if os.fstat(inner).st_dev == self._device and depth < DEEPEST:
                yield from self.all_in(inner, path, depth + 1)
            if os.fstat(inner).st_uid != self._uid:
                yield path
        finally:
            os.close(inner)

    def _file(self, name: str, at: int, path: Path) -> bool:
        """Whether it is that user's now."""
        file = os.open(name, FILE, dir_fd=at)
        try:
            found = os.fstat(file)
            plain = stat.S_ISREG(found.st_mode) and found.st_nlink == 1 and found.st_dev == self._device
            return plain and self._fd(file, path)
        finally:
            os.close(file)

    def _fd(self, file: int, path: Path) -> bool:
        """The same; only what is root's is given."""
        if os.fstat(file).st_uid != 0:
            return False
        try:
            os.fchown(file, self._uid, self._gid)
        except OSError as error:
            _log.debug("state.kept", reason=f"{path}: {error.strerror}")
            return False
        return True

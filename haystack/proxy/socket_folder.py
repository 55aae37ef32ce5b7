"""The folder for sockets between the control process and its workers, and where temporary files go at all. Never makes a socket."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from haystack.proxy import account

MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it; a container has it whatever else it may not write to
PLACES = ("/tmp", "/var/tmp", "/run")  # noqa: S108 - as above
LONGEST_PLACE = 107 - len("/haystack-12345678/admin.sock.health")  # of its bytes (unix(7))


class FolderError(Exception):
    """There is nowhere to put a socket. str() is one line: where that was tried, and what to do."""


@contextmanager
def folder() -> Iterator[Path]:
    """A folder for sockets, while Haystack runs: of this user, and to be walked through by the workers'. Raises FolderError."""
    other = account.account()
    with _temporary(other) as made:
        if other:
            os.chown(made, -1, other.gid)
            Path(made).chmod(0o710)
        yield Path(made)


def _temporary(other: account.Account | None) -> tempfile.TemporaryDirectory[str]:
    """In the first place where one can be made that the workers can reach: TMPDIR may be for this user alone."""
    tried = []
    for place in dict.fromkeys((tempfile.gettempdir(), *PLACES, str(MEMORY))):
        if why := unfit(Path(place), other):
            tried.append(f"{place} ({why})")
            continue
        try:
            return tempfile.TemporaryDirectory(prefix="haystack-", dir=place)
        except OSError as error:
            tried.append(f"{place} ({error.strerror})")
    raise FolderError(f"no folder for sockets can be made, tried in {', '.join(tried)}: mount one, as --tmpfs /tmp does")


def unfit(place: Path, other: account.Account | None) -> str:
    """Why there can't be sockets for this user (None: for ourselves) below a folder; empty: there can."""
    if len(os.fsencode(place)) > LONGEST_PLACE:
        return "its name is too long for sockets in it"
    try:
        barred = [each for each in (place, *place.resolve().parents) if other and not _lets_through(each.stat(), other)]
    except OSError as error:
        return error.strerror or str(error)
    return f"user {other.name} can't pass {barred[-1]}" if other and barred else ""


def _lets_through(folder: os.stat_result, other: account.Account) -> bool:
    """Whether this user may pass (path_resolution(7)); it has no group but its own."""
    bit = stat.S_IXUSR if folder.st_uid == other.uid else stat.S_IXGRP if folder.st_gid == other.gid else stat.S_IXOTH
    return bool(folder.st_mode & bit)


def choose_temporary() -> None:
    """Have temporary files in memory where no usual folder can be written, as in a container with --read-only. Called first of all.

    Raises FolderError where there is nowhere: libraries make such files as they are imported.
    """
    try:
        tempfile.gettempdir()
    except FileNotFoundError:
        try:
            tempfile.TemporaryFile(dir=MEMORY).close()
        except OSError as error:
            what = "no folder for temporary files and sockets can be written"
            raise FolderError(f"{what}, last tried {MEMORY} ({error.strerror}): mount one, as --tmpfs /tmp does") from error
        tempfile.tempdir = str(MEMORY)

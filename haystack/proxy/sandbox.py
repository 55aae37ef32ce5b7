"""What a worker process may do: it parses what strangers send, so it is left with nothing that it does not need.

No privilege of root's, none to be gained by executing a file, no core dump (it would hold what clients sent), and of the environment only
what Python and the C library read: no secret that Haystack was started with. Never does: starting a process.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import resource
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

ACCOUNTS = ("haystack", "nobody")
NOBODY = 65534  # where the system names no account: the kernel's own number for nobody in particular
NEEDED = {0: "CAP_CHOWN", 6: "CAP_SETGID", 7: "CAP_SETUID"}  # to be another user: bits of CapEff (capabilities(7))
PASSED = ("PATH", "HOME", "LANG", "LANGUAGE", "TZ")
PASSED_PREFIXES = ("LC_", "LD_", "PYTHON", "MALLOC_", "GLIBC_", "ASAN_", "UBSAN_", "LSAN_")
MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it; a container has it whatever else it may not write to
PLACES = ("/tmp", "/var/tmp", "/run")  # noqa: S108 - as above
LONGEST_PLACE = 107 - len("/haystack-12345678/admin.sock.health")  # of its bytes (unix(7))
PR_SET_NAME = 15
PR_SET_NO_NEW_PRIVS = 38


class Account(NamedTuple):
    """A user as whom workers run."""

    name: str
    uid: int
    gid: int


def account(proc: Path = Path("/proc")) -> Account | None:
    """As whom workers run where Haystack runs as root; None: as the same user, for it is not root or may not become another one."""
    if os.geteuid() != 0 or missing(proc):
        return None
    for name in ACCOUNTS:
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, found.pw_uid, found.pw_gid)
    return Account(str(NOBODY), NOBODY, NOBODY)


def missing(proc: Path = Path("/proc")) -> list[str]:
    """The capabilities that this process lacks to have its workers run as another user; all of them where nothing tells, without /proc."""
    try:
        fields = dict(line.partition(":")[::2] for line in (proc / "self" / "status").read_text().splitlines())
    except OSError:
        return list(NEEDED.values())
    effective = int(fields["CapEff"], 16)
    return [name for bit, name in NEEDED.items() if not effective >> bit & 1]


class FolderError(Exception):
    """There is nowhere to put a socket. str() is one line: where that was tried, and what to do."""


@contextmanager
def folder() -> Iterator[Path]:
    """A folder for sockets, while Haystack runs: of this user, and to be walked through by the workers'. Raises FolderError."""
    other = account()
    with _temporary(other) as made:
        if other:
            os.chown(made, -1, other.gid)
            Path(made).chmod(0o710)
        yield Path(made)


def _temporary(other: Account | None) -> tempfile.TemporaryDirectory[str]:
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


def unfit(place: Path, other: Account | None) -> str:
    """Why there can't be sockets for this user (None: for ourselves) below a folder; empty: there can."""
    if len(os.fsencode(place)) > LONGEST_PLACE:
        return "its name is too long for sockets in it"
    try:
        barred = [each for each in (place, *place.resolve().parents) if other and not _lets_through(each.stat(), other)]
    except OSError as error:
        return error.strerror or str(error)
    return f"user {other.name} can't pass {barred[-1]}" if other and barred else ""


def _lets_through(folder: os.stat_result, other: Account) -> bool:
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


def environment(whole: Mapping[str, str]) -> dict[str, str]:
    """What a worker gets of this environment. Its settings come by its channel."""
    return {name: text for name, text in whole.items() if name in PASSED or name.startswith(PASSED_PREFIXES)}


def confine(uid: int, gid: int) -> None:
    """Give up, for good, what this process does not need. uid -1: it stays the user that it is. Raises OSError.

    To be called when everything is imported: the other user may not be able to read the code.
    """
    # core(5): of 0, a core dump that is piped to a program takes no notice; of 1, it does, and a file can't hold anything
    resource.setrlimit(resource.RLIMIT_CORE, (1, 1))
    _prctl(PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1))
    if uid != -1:
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)


def call(name: str) -> None:
    """Set the name under which ps and top show this process; 15 bytes of it."""
    _prctl(PR_SET_NAME, ctypes.create_string_buffer(name.encode()))


def _prctl(option: int, value: ctypes.c_ulong | ctypes.Array[ctypes.c_char]) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    unused = ctypes.c_ulong(0)
    if libc.prctl(option, value, unused, unused, unused) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))

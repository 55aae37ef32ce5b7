"""Keeps a process from files by Landlock (landlock(7)), where the kernel has it: for workers, whose user may own them.

Files of Haystack's state, keys above all, are the control process's user's, which is the workers' too unless it stayed root. A worker
reads its own code still, for a module may be imported late. Files that are open already stay so, and sockets are no files. From ABI 6 on
(Linux 6.12) it can also send no signal to anybody outside.
"""

from __future__ import annotations

import os
import struct
import sys
from collections.abc import Iterable

from haystack._fast.util.kernel import syscall

CREATE, ADD, RESTRICT = 444, 445, 446  # system calls, the same on all architectures
ASK_VERSION = 1  # LANDLOCK_CREATE_RULESET_VERSION
PATH_BENEATH = 1
READ_FILE, READ_DIR = 1 << 2, 1 << 3
OF_FILES = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1}  # rights that are handled, by ABI; more is of no use here
SCOPED_SINCE, SCOPED = 6, 3  # abstract sockets and signals
SYSTEM = ("/usr", "/lib", "/lib64", "/etc/ssl")


def readable(package: str) -> list[str]:
    """What a worker's late imports may read: the package, Python, and the system's libraries."""
    return [package, sys.prefix, sys.base_prefix, *SYSTEM, *(each for each in sys.path if each)]


def version() -> int:
    """The ABI that the kernel has, from 1 on; less than that: none, or whoever runs this container keeps it from us."""
    return syscall(CREATE, 0, 0, ASK_VERSION)


def restrict(folders: Iterable[str]) -> bool:
    """Let this thread, and all that it starts, read these and open nothing else, for good; False: the system has no Landlock.

    For a process of one thread, with no_new_privs set.
    """
    known = version()
    if known < 1:
        return False
    handled = OF_FILES[min(known, max(OF_FILES))]
    wanted = struct.pack("=QQQ", handled, 0, SCOPED) if known >= SCOPED_SINCE else struct.pack("=Q", handled)
    rules = syscall(CREATE, wanted, len(wanted), 0)
    if rules < 0:
        return False
    try:
        for folder in dict.fromkeys(folders):
            _allow(rules, folder)
        return syscall(RESTRICT, rules, 0, 0) == 0
    finally:
        os.close(rules)


def _allow(rules: int, folder: str) -> None:
    """Reading below this folder; one that is not there needs no rule."""
    try:
        beneath = os.open(folder, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        rights = READ_FILE | READ_DIR if os.path.isdir(folder) else READ_FILE  # noqa: PTH112 - pathlib is half a MiB in each worker
        syscall(ADD, rules, PATH_BENEATH, struct.pack("=Qi", rights, beneath))
    finally:
        os.close(beneath)

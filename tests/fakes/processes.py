"""What /proc tells of this machine's processes (proc(5)). The answer about a process that has ended is empty, and no error."""

from __future__ import annotations

import contextlib
from pathlib import Path


def children(pid: int) -> list[int]:
    """Direct children of a process, whichever thread started them."""
    lists = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for each in lists for child in _read(each).split()]


def called(pid: int) -> str:
    """The name that a process gave itself."""
    return _read(Path(f"/proc/{pid}/comm")).decode(errors="replace").strip()


def command_line(pid: int) -> bytes:
    """Its arguments, each with a NUL behind it."""
    return _read(Path(f"/proc/{pid}/cmdline"))


def held(pid: int) -> set[str]:
    """What its descriptors lead to: a path, ``socket:[INODE]`` and others."""
    found = set()
    for each in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            found.add(str(each.readlink()))
    return found


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""

"""A file that may change at any time: when to read it. Not loaded where no setting names one, for the library takes memory.

Never does: open the file.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from watchfiles import Change, awatch

POLL = 1000  # milliseconds between looks for which no notification is needed: network file systems send none
UNSEEN: tuple[int, ...] = ()


def state(path: Path) -> tuple[int, ...] | None:
    """What changes whenever the file does, or who may read it; None when there is none."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size, stat.st_ino


async def changes(path: Path, seen: tuple[int, ...] | None = UNSEEN) -> AsyncIterator[None]:
    """One at once, then one whenever the file is another one than it was. seen: a state in which it has been read already."""
    async for _ in ticks(path):
        now = state(path)
        if now != seen:
            seen = now
            yield None


async def ticks_within(folder: Path) -> AsyncIterator[None]:
    """One at once, then one whenever something may have happened to a file in the folder, and each second: links lead elsewhere."""
    yield None
    while True:
        try:
            async for _ in awatch(folder, rust_timeout=POLL, yield_on_timeout=True, step=20, debounce=100, recursive=False):
                yield None
        except OSError:
            await asyncio.sleep(POLL / 1000)
            yield None


async def ticks(path: Path) -> AsyncIterator[None]:
    """One at once, then one whenever something may have happened to the file."""

    def concerns(_change: Change, changed: str) -> bool:
        return Path(changed).name == path.name or path.is_symlink()  # then what it leads to may have changed

    yield None
    while True:
        try:
            # The folder, for editors replace the file
            async for _ in awatch(
                path.parent, watch_filter=concerns, rust_timeout=POLL, yield_on_timeout=True, step=20, debounce=100, recursive=False
            ):
                yield None
        except OSError:  # no such folder, or no more watches: look from time to time
            await asyncio.sleep(POLL / 1000)
            yield None

"""The lines that the owner of a key has typed at the prompt, for the arrow keys of the next session.

There is a file for each key in the state folder, which this user alone may read. All but `keep` blocks: for a thread. A file that can't be
read or written costs the history and nothing else.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import threading
from pathlib import Path

import structlog

FOLDER = "history"
LINES, LONGEST = 1000, 2000  # that are kept; characters of one
SIZE = 1 << 18  # octets of a file that is cut to its last lines
FILES = 200  # of keys; certificates that are made anew each day have new ones
log = structlog.get_logger(__name__)


class History:
    """The file of one key. folder: the state folder; fingerprint: as ``SHA256:…``."""

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self._path = folder / FOLDER / fingerprint.replace("/", "_").replace("+", "-").replace(":", "-")
        self._lock = threading.Lock()
        self._waiting: list[str] = []
        self._writer: asyncio.Task[None] | None = None

    def load(self) -> list[str]:
        """The lines that were kept, the latest last."""
        try:
            with self._path.open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - SIZE))
                return file.read().decode("utf-8", "replace").split("\n")[-LINES - 1 : -1]
        except OSError:
            return []

    def keep(self, line: str) -> None:
        """Write this line too, soon: from the loop, in the order of the calls."""
        line = " ".join(line.split("\n"))
        if line.strip() and len(line) <= LONGEST:
            self._waiting.append(line)
            if self._writer is None or self._writer.done():
                self._writer = asyncio.create_task(self._write(), name="history")

    async def written(self) -> None:
        """Wait until all lines are."""
        if self._writer is not None:
            await asyncio.shield(self._writer)

    async def _write(self) -> None:
        while self._waiting:
            lines, self._waiting = self._waiting, []
            try:
                await asyncio.to_thread(self.add, lines)
            except OSError as error:
                log.debug("history.unkept", error=error.strerror or str(error), path=str(self._path))

    def add(self, lines: list[str]) -> None:
        """Append these lines. Raises OSError."""
        data = "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")
        with self._lock:
            if not self._path.exists():
                self._make_room()
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            with os.fdopen(os.open(self._path, flags, 0o600), "ab") as file:
                file.write(data)
                size = file.tell()
            if size > SIZE:
                self._cut()

    def _make_room(self) -> None:
        """The folder, and in it a place for a new file."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        files = sorted(self._path.parent.iterdir(), key=lambda path: path.stat().st_mtime)
        for path in files[: max(0, len(files) - FILES + 1)]:
            path.unlink(missing_ok=True)

    def _cut(self) -> None:
        """Keep half of it, and no half line."""
        data = self._path.read_bytes()[-SIZE // 2 :]
        descriptor, name = tempfile.mkstemp(prefix=".", dir=self._path.parent)  # mode 0600
        with os.fdopen(descriptor, "wb") as file:
            file.write(data[data.find(b"\n") + 1 :])
        Path(name).replace(self._path)

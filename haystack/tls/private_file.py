"""Files with secrets in the state folder: written whole or not at all, and readable by this user alone.

Blocks, so it runs in a thread where the loop serves. Never does: read back what it has written.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path


def write(path: Path, data: bytes) -> None:
    """Put the data at the path, mode 0600, in the place of what was there; folders above it are made, mode 0700. Raises OSError."""
    _written(path, data, lambda name: name.replace(path))


def create(path: Path, data: bytes) -> bool:
    """The same where nothing is there yet; False: somebody was faster. Raises OSError."""
    try:
        _written(path, data, path.hardlink_to)
    except FileExistsError:
        return False
    return True


def _written(path: Path, data: bytes, place: Callable[[Path], object]) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600
    made = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        place(made)
    finally:
        with contextlib.suppress(FileNotFoundError):
            made.unlink()

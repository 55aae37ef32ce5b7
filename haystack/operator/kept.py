"""The overrides that are kept over a restart: a file of JSON in the state folder, readable by this user alone.

Written whole or not at all. A file that can't be read, or holds something else, is told and ignored. Blocks: for a thread.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from haystack.model.services import Override

NAME = "overrides.json"
LARGEST = 32 * 1024 * 1024


class UnreadableError(Exception):
    """The file says nothing that can be used. str() is why."""


def read(path: Path) -> tuple[Override, ...]:
    """What is kept; nothing where there is no file. Raises UnreadableError."""
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & 0o022:
                raise UnreadableError(f"others can write it, so it is refused: chmod 600 {path}")
            data = file.read(LARGEST + 1)
        if len(data) > LARGEST:
            raise UnreadableError("it is too large")
        return msgspec.json.decode(data, type=tuple[Override, ...])
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise UnreadableError(error.strerror or str(error)) from error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableError(f"it does not hold overrides: {error}") from error


def write(path: Path, kept: Sequence[Override]) -> None:
    """Keep these, and no others. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{NAME}.", dir=path.parent)  # mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(kept), indent=1))
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
        _sync(path.parent)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _sync(folder: Path) -> None:
    """Have the new name survive a loss of power too."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

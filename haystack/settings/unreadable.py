"""Why a file that a setting names can't be read, and what mends that where it is for somebody else. Reads nothing of the file."""

from __future__ import annotations

import errno
import os
from pathlib import Path

FOLDER = "it is a folder (Docker creates one if the file in -v does not exist)"


def why(error: OSError | ValueError) -> str:
    """The reason, a line; for want of permission with the file, or the folder above it, that bars the way. ValueError: of what is in it."""
    if isinstance(error, UnicodeDecodeError):
        return "it is not text in UTF-8"
    if isinstance(error, ValueError):
        return str(error)
    if error.errno == errno.EISDIR:
        return FOLDER
    reason = error.strerror or str(error)
    if error.errno != errno.EACCES or not isinstance(error.filename, str | bytes | os.PathLike):
        return reason
    path = Path(os.fsdecode(error.filename)).absolute()
    barred = next((each for each in reversed(path.parents) if not os.access(each, os.X_OK, effective_ids=True)), path)
    mode = "g+r" if barred == path and not path.is_dir() else "g+rx"
    return f"{reason} for user {os.geteuid()}: to mend it, chgrp {os.getegid()} {barred}; chmod {mode} {barred}"

"""Folders of tests for other users to come to."""

from __future__ import annotations

import tempfile
from pathlib import Path


def open_to_all(folder: Path) -> Path:
    """Have any user reach it: it, and those that it is in up to the system's folder for temporary files, however many pytest makes."""
    for each in (folder, *folder.parents):
        if Path(tempfile.gettempdir()) in each.parents:
            each.chmod(0o755)
    return folder

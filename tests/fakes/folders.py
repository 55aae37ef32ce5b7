"""Folders of tests for other users to come to."""

from __future__ import annotations

import tempfile
from pathlib import Path


def within_temporary(path: Path) -> list[Path]:
    """This one and those that it is in, up to the system's folder for temporary files: however many pytest makes of them."""
    return [each for each in (path, *path.parents) if Path(tempfile.gettempdir()) in each.parents]

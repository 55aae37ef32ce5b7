"""Where the control socket of a Haystack is: in its state folder, else where its user may write. Imports little, for `healthcheck`."""

from __future__ import annotations

import errno
import os
import zlib
from pathlib import Path

NAME = "control.sock"
USUAL = Path("/var/lib/haystack")
LONGEST = 107  # bytes of the path of a unix socket (unix(7))
TEMPORARY = ("/tmp", "/dev/shm")  # noqa: S108 - a folder of this user's own is made there, and another user's is refused


def user_state() -> Path:
    """Where a user's own programs keep their state (XDG base directories)."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "haystack"


def control(folder: Path) -> Path:
    """The control socket of the Haystack of this user with this state folder."""
    path = folder / NAME
    if _writable(folder) and len(os.fsencode(path)) <= LONGEST:
        return path
    own = f"haystack-{os.geteuid()}-{zlib.crc32(os.fsencode(folder)):08x}"
    places = [os.environ.get("TMPDIR", ""), *TEMPORARY]
    there = next((place for place in places if place and os.access(place, os.W_OK | os.X_OK)), TEMPORARY[0])
    return Path(there) / own / NAME


def make(folder: Path) -> None:
    """Make the socket's folder. Raises OSError; PermissionError: it belongs to another user."""
    folder.mkdir(mode=0o700 if folder.name.startswith("haystack-") else 0o777, parents=True, exist_ok=True)
    if folder.name.startswith("haystack-") and folder.stat().st_uid != os.geteuid():
        raise PermissionError(errno.EPERM, f"{folder} belongs to another user")


def _writable(folder: Path) -> bool:
    """Whether a file could be made there, or the folder itself."""
    for path in (folder, *folder.parents):
        if os.access(path, os.F_OK):
            return os.access(path, os.W_OK | os.X_OK)
    return False

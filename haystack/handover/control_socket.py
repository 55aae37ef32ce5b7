"""Where the control socket of a Haystack is: in its state folder, else where its user may write. Imports little, for `healthcheck`.

Who asks may be another user than who runs: root by `docker exec`, while Haystack has given root up. `places` finds it all the same.
"""

from __future__ import annotations

import errno
import os
import zlib
from collections.abc import Iterable
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
    there = next((place for place in _temporary() if os.access(place, os.W_OK | os.X_OK)), TEMPORARY[0])
    return Path(there) / f"haystack-{os.geteuid()}-{_sum(folder)}" / NAME


def places(folder: Path) -> list[Path]:
    """Where that of any user may be: this user's first. Those of others are in folders of their own, whose names tell whose."""
    others = (each for place in _temporary() for each in sorted(Path(place).glob(f"haystack-*-{_sum(folder)}")))
    theirs = [each / NAME for each in others if _is_own(each)]
    given = folder / NAME
    return list(dict.fromkeys([control(folder), *([given] if len(os.fsencode(given)) <= LONGEST else []), *theirs]))


def _is_own(folder: Path) -> bool:
    """Whether it belongs to the user whom its name tells. It may go at any time."""
    try:
        return folder.name.split("-")[1] == str(folder.lstat().st_uid) and not folder.is_symlink()
    except OSError:
        return False


def is_believed(path: Path, folder: Path, friends: Iterable[int]) -> bool:
    """Whether what listens there is one that serves with this state folder: anybody may make a folder beside those of others.

    friends: users, beside root and this one, who are believed.
    """
    if path in (control(folder), folder / NAME):
        return True
    return owner(path.parent) in {0, os.geteuid(), *friends}


def owner(path: Path) -> int:
    """Whose it is: of the socket, or of the nearest folder above it that can be looked at."""
    for each in (path, *path.parents):
        try:
            return each.stat().st_uid
        except OSError:
            continue
    return 0


def denied(path: Path) -> str:
    """What to do about a socket that this user may not use, a line."""
    whose, other = owner(path), " or as root" if os.geteuid() else ", for this root lacks CAP_DAC_OVERRIDE"
    return f"can't ask at {path}: permission denied: do so as user {whose}{other} (in a container: docker exec --user {whose})"


def _temporary() -> list[str]:
    return [place for place in (os.environ.get("TMPDIR", ""), *TEMPORARY) if place]


def _sum(folder: Path) -> str:
    return f"{zlib.crc32(os.fsencode(folder)):08x}"


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

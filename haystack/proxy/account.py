"""As whom workers and the control process run: another user than root, where Haystack runs as root and may become one.

sandbox.py and startup/unprivileged.py make the change.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

OWN = "haystack"  # of Haystack alone: other daemons may be `nobody` too, so that one may own nothing
ACCOUNTS = (OWN, "nobody")
NOBODY = 65534  # where the system names no account: the kernel's own number for nobody in particular
NEEDED = {0: "CAP_CHOWN", 6: "CAP_SETGID", 7: "CAP_SETUID"}  # to be another user: bits of CapEff (capabilities(7))


class Account(NamedTuple):
    """A user as whom workers run."""

    name: str
    uid: int
    gid: int


def account(proc: Path = Path("/proc")) -> Account | None:
    """As whom workers run where Haystack runs as root; None: as the same user, for it is not root or may not become another one."""
    return None if os.geteuid() != 0 or missing(proc) else _named()


def own(proc: Path = Path("/proc")) -> Account | None:
    """As whom the control process goes on that was started as root; None: as the user that it is."""
    found = account(proc)
    return found if found and found.name == OWN else None


def _named() -> Account:
    for name in ACCOUNTS:
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, found.pw_uid, found.pw_gid)
    return Account(str(NOBODY), NOBODY, NOBODY)


def missing(proc: Path = Path("/proc")) -> list[str]:
    """What this process lacks to have its workers run as another user.

    Capabilities, all of them where nothing tells, without /proc; the user and its group, where a user namespace has none such
    (user_namespaces(7)).
    """
    try:
        fields = dict(line.partition(":")[::2] for line in (proc / "self" / "status").read_text().splitlines())
    except OSError:
        return list(NEEDED.values())
    effective = int(fields["CapEff"], 16)
    return [name for bit, name in NEEDED.items() if not effective >> bit & 1] or list(_unmapped(proc / "self", _named()))


def _unmapped(own: Path, other: Account) -> Iterator[str]:
    for file, number in (("uid_map", other.uid), ("gid_map", other.gid)):
        ranges = [tuple(map(int, line.split())) for line in _text(own / file).splitlines()]
        if ranges and not any(first <= number < first + count for first, _, count in ranges):
            yield f"{number} in {file}"
    if _text(own / "setgroups").strip() == "deny":
        yield "setgroups"


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # a kernel without user namespaces
        return ""

"""Has the control process, started as root, go on as the user that workers run as, with CAP_NET_BIND_SERVICE and nothing else.

The state folder becomes that user's. Where the user could not read what the settings name, or the code, the process stays root and the log
says why: a certificate that can be read no more would be worse. Never changes a mode; opens no file.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import structlog

from haystack.net import descriptors
from haystack.proxy import account, launch
from haystack.settings.settings import Settings, variable
from haystack.startup import capabilities, checks

READ = ("static", "ssh_authorized_keys_file", "dns_records", "acme_ca", "tls_client_ca", "certs")  # again and again, while it runs
KEPT = (capabilities.NET_BIND_SERVICE,)
_log = structlog.get_logger("haystack")


def go_on(settings: Settings) -> None:
    """Give up what root may. By the thread that opens ports, before there is any that needs more."""
    with contextlib.suppress(OSError):  # whoever it is
        capabilities.prctl(capabilities.PR_SET_NO_NEW_PRIVS, 1)
    other = account.account()
    if other is None:
        return
    descriptors.raised()  # which only root may raise above what was set
    if reasons := _reasons(settings, other):
        _log.warning("privileges.kept", user=other.name, reason="; ".join(reasons))
        return
    capabilities.become(other.uid, other.gid, KEPT)
    os.environ["HOME"] = "/"  # not root's
    _log.debug("privileges.dropped", user=other.name)


def _reasons(settings: Settings, other: account.Account) -> list[str]:
    """Why it has to stay root; none: it need not."""
    with acting_as(other):
        found = list(_unreadable(settings))
    if found:
        return found
    give(settings.state_dir, other)
    with acting_as(other):
        why = checks.unwritable(settings.state_dir)
    return [f"{variable('state_dir')}: {settings.state_dir} can't be written: {why}"] if why and _writable(settings.state_dir) else []


def _writable(folder: Path) -> bool:
    """Whether root can write it: where nobody can, nothing is lost."""
    return not checks.unwritable(folder)


@contextlib.contextmanager
def acting_as(other: account.Account) -> Iterator[None]:
    """What is looked at meanwhile is looked at by this user, without any capability."""
    groups = os.getgroups()
    os.setgroups([])
    os.setegid(other.gid)
    os.seteuid(other.uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


def _unreadable(settings: Settings) -> Iterator[str]:
    """What this user can't read, of all that is read later."""
    for path in (Path(launch.PACKAGE), Path(sys.executable), Path(sys.prefix)):
        if not _may(path):
            yield f"{path} is Haystack's own"
    for field in READ:
        path = getattr(settings, field)
        for each in _files(path) if path is not None else ():
            if not _may(each):
                yield f"{variable(field)}: {each}"


def _files(path: Path) -> Iterator[Path]:
    """The path, and in a folder what is in it."""
    yield path
    try:
        if path.is_dir():
            yield from path.iterdir()
    except OSError:
        return  # the folder itself tells


def _may(path: Path) -> bool:
    try:
        mode = os.R_OK | (os.X_OK if path.is_dir() else 0)
    except OSError:
        return False
    return os.access(path, mode, effective_ids=True)


def give(folder: Path, other: account.Account) -> None:
    """Make the state folder this user's, with all in it, where it was root's. Where that can't be done, it stays as it is.

    Once it is another user's, nothing in it is touched: that user could have put a link there to somebody else's file.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if folder.lstat().st_uid != 0 or not stat.S_ISDIR(folder.lstat().st_mode):
            return
        for place, folders, files in os.walk(folder, topdown=False):
            for name in (*folders, *files):
                os.chown(os.path.join(place, name), other.uid, other.gid, follow_symlinks=False)  # noqa: PTH118 - os.walk's own texts
        os.chown(folder, other.uid, other.gid, follow_symlinks=False)
    except OSError as error:
        _log.debug("state.kept", reason=str(error))

"""Has the control process, started as root, go on as the user `haystack`, with CAP_NET_BIND_SERVICE and nothing else.

The state folder becomes that user's. Where there is no such user, or it could not read what the settings name, or the code, the process
stays root and the log says why: a certificate that can be read no more would be worse. Never changes a mode; opens no file of the settings.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import structlog

from haystack.net import descriptors
from haystack.proxy import account, landlock, launch
from haystack.settings import otel
from haystack.settings.settings import Settings, variable
from haystack.startup import capabilities, checks, state_owner

READ = ("static", "ssh_authorized_keys_file", "dns_records", "acme_ca", "tls_client_ca", "certs")  # again and again, while it runs
KEPT = (capabilities.NET_BIND_SERVICE,)
MAKE = f"to make it: useradd --system --no-create-home --shell /usr/sbin/nologin {account.OWN}"
LANDLOCK = "it takes Linux 5.13 with landlock in /sys/kernel/security/lsm, and a container runtime whose seccomp profile lets it through"
_log = structlog.get_logger("haystack")


def go_on(settings: Settings) -> None:
    """Give up what root may. By the thread that opens ports, before there is any that needs more."""
    with contextlib.suppress(OSError):  # whoever it is
        capabilities.prctl(capabilities.PR_SET_NO_NEW_PRIVS, 1)
    with contextlib.suppress(OSError):  # whoever of its user looks, workers too: no ptrace(2), no /proc/PID/mem, no core dump
        capabilities.prctl(capabilities.PR_SET_DUMPABLE, 0)
    other = account.account()
    if landlock.version() < 1 and (other is None or other.name == account.OWN):  # nobody owns nothing
        _log.warning("workers.unconfined", reason="the system has no Landlock: a worker could read the state folder's keys", hint=LANDLOCK)
    if other is not None:
        _given_up(settings, other)


def _given_up(settings: Settings, other: account.Account) -> None:
    if other.name != account.OWN:
        _log.warning("privileges.kept", user=account.OWN, reason=f"there is no such user: {MAKE}")
        return
    descriptors.raised()  # which only root may raise above what was set
    try:
        reasons = _reasons(settings, other)
        if not reasons:
            capabilities.become(other.uid, other.gid, KEPT)
    except OSError as error:  # a system that does not let it, though nothing told so
        reasons = [f"can't become this user: {error.strerror or error}"]
    if reasons:
        _log.warning("privileges.kept", user=other.name, reason="; ".join(reasons))
        return
    os.environ["HOME"] = "/"  # not root's
    _log.debug("privileges.dropped", user=other.name)


def _reasons(settings: Settings, other: account.Account) -> list[str]:
    """Why it has to stay root; none: it need not."""
    folder = settings.state_dir
    above = _above(folder)
    with acting_as(other):
        found = list(_unreadable(settings))
        if above is not None and not os.access(above, os.X_OK, effective_ids=True):  # asked before anything is given away
            found.append(f"{variable('state_dir')}: {folder} can't be reached")
    if found:
        return found
    kept = state_owner.give(folder, other.uid, other.gid)
    with acting_as(other):
        why = checks.unwritable(folder)
        closed = [f"{variable('state_dir')}: {each}" for each in kept if not _may(each)]
    if why and _writable(folder):
        return [f"{variable('state_dir')}: {folder} can't be written: {why}"]
    return closed


def _writable(folder: Path) -> bool:
    """Whether root can write it: where nobody can, nothing is lost."""
    return not checks.unwritable(folder)


def _above(folder: Path) -> Path | None:
    """What this user has to pass to come to the state folder; None: there is none, and none can be made."""
    if not folder.exists() and not _writable(folder):
        return None
    return next(each for each in folder.absolute().parents if each.exists())


@contextlib.contextmanager
def acting_as(other: account.Account) -> Iterator[None]:
    """What is looked at meanwhile is looked at by this user, without any capability. Raises OSError."""
    groups, group, user = os.getgroups(), os.getegid(), os.geteuid()
    os.setgroups([])
    try:
        os.setegid(other.gid)
        os.seteuid(other.uid)
        yield
    finally:
        os.seteuid(user)
        os.setegid(group)
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
    yield from (f"{name}: {path}" for name, path in otel.files(os.environ) if not _may(path))


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

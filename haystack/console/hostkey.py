"""The shell's host key: made at the first start, kept in the state folder, so that clients meet the same host again.

Never overwrites a key that is there, never uses one that others can read (sshd(8) refuses it too), and never stops the start: without a
folder to keep it in, the key lives as long as the process, and the log says so.
"""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

import asyncssh
import structlog

NAME = "ssh_host_ed25519_key"
log = structlog.get_logger(__name__)


def load(folder: Path) -> asyncssh.SSHKey:
    """The kept key, else a new one that is kept if it can be."""
    path = folder / NAME
    try:
        if path.stat().st_mode & 0o077:
            raise PermissionError(errno.EPERM, f"others can read it, so it is refused: chmod 600 {path}")
        return asyncssh.import_private_key(path.read_bytes())
    except FileNotFoundError:
        return created(path)
    except (OSError, asyncssh.KeyImportError) as error:
        warn(path, error)
        return generated()


def created(path: Path) -> asyncssh.SSHKey:
    """A new key, written to the path."""
    key = generated()
    try:
        keep(path, key.export_private_key())
    except OSError as error:
        warn(path, error)
    return key


def generated() -> asyncssh.SSHKey:
    """A new key."""
    return asyncssh.generate_private_key("ssh-ed25519", comment="haystack")


def keep(path: Path, data: bytes) -> None:
    """Write it whole or not at all, readable by this user alone: a half-written key would lock everybody out."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{NAME}.", dir=path.parent)  # mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def warn(path: Path, error: Exception) -> None:
    """Say that clients will warn of a changed host, and what mends it."""
    log.warning(
        "hostkey.unusable",
        error=getattr(error, "strerror", None) or str(error),
        path=str(path),
        reason="the shell's host key can't be stored or read, so it changes at each start",
        hint="set HAYSTACK_STATE_DIR to a folder that nothing else uses",
    )

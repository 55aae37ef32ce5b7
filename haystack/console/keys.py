"""Who may enter the shell: the public keys of the settings, read anew at each login so that a key taken out is out.

Never a password, never a default key: with none configured nobody gets in.
"""

from __future__ import annotations

from pathlib import Path

import asyncssh
import structlog

from haystack.state import Options

HOW = "set HAYSTACK_SSH_AUTHORIZED_KEYS to the text of a public key, or HAYSTACK_SSH_AUTHORIZED_KEYS_FILE to a file of them"
log = structlog.get_logger(__name__)


def authorized(settings: Options) -> asyncssh.SSHAuthorizedKeys | None:
    """The keys that may enter, with the options of their lines (from=, command=); None where there are none. Reads a file."""
    text = "\n".join(part for part in (settings.ssh_authorized_keys or "", kept(settings.ssh_authorized_keys_file)) if part.strip())
    if not text.strip():
        return None
    try:
        return asyncssh.import_authorized_keys(text + "\n")
    except ValueError as error:
        log.warning("no public key of the settings can be read; nobody gets into the shell", error=str(error))
        return None


def kept(file: object) -> str:
    """The file's text, empty where there is none."""
    if not file:
        return ""
    try:
        return Path(str(file)).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        log.warning("the file of public keys cannot be read", file=str(file), error=str(error))
        return ""

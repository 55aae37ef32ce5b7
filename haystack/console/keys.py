"""Who may enter the shell: the public keys of the settings, read anew at each login so that a key taken out is out.

Line by line: one that can't be read, or asks for something that is not done here, locks nobody else out, and is named. Never a password,
never a default key: with none configured nobody gets in. The format is that of sshd(8), AUTHORIZED_KEYS FILE FORMAT.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import asyncssh

from haystack.views.state import Options

HOW = "set HAYSTACK_SSH_AUTHORIZED_KEYS to the text of a public key, or HAYSTACK_SSH_AUTHORIZED_KEYS_FILE to a file of them"
BOM = "\ufeff"
# What a key's options may be: those that asyncssh does; those about what there is none of here; those done below.
DONE = frozenset({"command", "from", "cert-authority", "principals", "no-pty", "no-touch-required"})
MOOT = frozenset({
    "agent-forwarding", "no-agent-forwarding", "port-forwarding", "no-port-forwarding", "permitopen", "permitlisten", "tunnel", "user-rc",
    "no-user-rc", "x11-forwarding", "no-x11-forwarding", "environment",
})  # fmt: skip
OURS = frozenset({"expiry-time", "restrict", "pty"})
_OPTION = re.compile(r'([A-Za-z0-9-]+)(?:="((?:[^"\\]|\\.)*)")?(,|[ \t]+|$)')
_LINE_END = re.compile(r"\r\n|\n|\r")  # str.splitlines knows others, which may stand in a key's comment
_TIME = re.compile(r"([0-9]{8})(?:([0-9]{4})([0-9]{2})?)?(Z?)")


class BadLineError(ValueError):
    """A line that lets nobody in; the text says why, and never holds the key."""


class Found(NamedTuple):
    """keys: that may enter, with their options; None: there are none. refused: lines that let nobody in, and why."""

    keys: asyncssh.SSHAuthorizedKeys | None
    refused: tuple[str, ...]


def authorized(settings: Options, now: dt.datetime | None = None) -> Found:
    """The keys of the settings at this moment. Reads a file."""
    good: list[str] = []
    refused: list[str] = []
    for where, text in _sources(settings, refused):
        for number, written in enumerate(_LINE_END.split(text), 1):
            # a mark that an editor wrote, also where files were put together; and what asyncssh would take for an end, in a comment
            line = " ".join(written.lstrip(BOM).splitlines())
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            try:
                good.append(checked(line.strip(), now or dt.datetime.now(dt.UTC)))
            except BadLineError as error:
                refused.append(f"{where} line {number}: {error}")
    return Found(asyncssh.import_authorized_keys("\n".join(good)) if good else None, tuple(refused))


def _sources(settings: Options, refused: list[str]) -> Iterator[tuple[str, str]]:
    """Where keys are, and the texts; a file that can't be read is among those refused."""
    if settings.ssh_authorized_keys:
        yield "HAYSTACK_SSH_AUTHORIZED_KEYS", settings.ssh_authorized_keys
    if not settings.ssh_authorized_keys_file:
        return
    path = Path(str(settings.ssh_authorized_keys_file))
    try:
        yield str(path), path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        refused.append(f"{path}: {error.strerror or error}")


def checked(line: str, now: dt.datetime) -> str:
    """The line as asyncssh is to read it. Raises BadLineError."""
    options, rest = split(line)
    for name, value in options:
        if name not in DONE | MOOT | OURS:
            raise BadLineError(f"the option {name[:40]!r} is not supported, so the key is refused")
        if name == "expiry-time":
            _not_over(value, now)
    kept = [f'{name}="{value}"' if value is not None else name for name, value in options if name not in OURS]
    names = {name for name, _ in options}
    if "restrict" in names and "pty" not in names:
        kept.append("no-pty")
    whole = f"{','.join(kept)} {rest}" if kept else rest
    try:
        asyncssh.import_authorized_keys(whole)
    except (ValueError, LookupError, TypeError, ArithmeticError) as error:  # asyncssh's own words repeat the line
        raise BadLineError(
            "this is not a public key" if isinstance(error, ValueError) else f"it can't be read: {type(error).__name__}"
        ) from None
    return whole


def split(line: str) -> tuple[list[tuple[str, str | None]], str]:
    """A line's options, with what they are set to, and the rest: type, key and comment. Raises BadLineError."""
    options: list[tuple[str, str | None]] = []
    if _is_key(line):
        return options, line
    at = 0
    while match := _OPTION.match(line, at):
        options.append((match[1].lower(), match[2]))
        at = match.end()
        if match[3] != ",":
            break
    rest = line[at:].strip()
    if not options or not rest or not _is_key(rest):
        raise BadLineError("this is not a public key")
    return options, rest


def _is_key(text: str) -> bool:
    words = text.split(None, 2)
    return len(words) > 1 and (words[0].startswith(("ssh-", "ecdsa-", "sk-", "x509v3-")))


def _not_over(value: str | None, now: dt.datetime) -> None:
    """sshd(8): YYYYMMDD[HHMM[SS]][Z], in the system's time zone unless it ends in Z. Raises BadLineError once that time has come."""
    match = _TIME.fullmatch(value or "")
    end = _moment(match) if match is not None else None
    if end is None:
        raise BadLineError("expiry-time is not YYYYMMDD[HHMM[SS]][Z], so the key is refused")
    if now >= end:
        raise BadLineError(f"the key has expired (expiry-time={value})")


def _moment(match: re.Match[str]) -> dt.datetime | None:
    """None: there is no such day or time."""
    day, minute, second, utc = match.groups()
    try:
        read = dt.datetime.strptime(f"{day}{minute or '0000'}{second or '00'}", "%Y%m%d%H%M%S")  # noqa: DTZ007 - told below
        return read.replace(tzinfo=dt.UTC) if utc else read.astimezone()
    except (ValueError, OverflowError):  # of astimezone too: no local time is known in the year 1
        return None

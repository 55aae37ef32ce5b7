"""The public keys of the settings, line by line: what each lets in, or why it lets nobody in.

A line that can't be read, or asks for something that is not done here, is named with its place; `run` refuses to start with one
(startup/checks.py). One that comes into the file later locks nobody else out. Never a password, never a default key: with none configured
nobody gets in. The format is that of sshd(8), AUTHORIZED_KEYS FILE FORMAT. keyring.py decides by these lines.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import asyncssh

from haystack.observe.safe_text import printable
from haystack.settings import unreadable
from haystack.views.state import Options

BOM = "\ufeff"
# What a key's options may be: those that asyncssh does; those about what there is none of here; those done below.
DONE = frozenset({"command", "from", "cert-authority", "principals", "no-pty", "no-touch-required"})
MOOT = frozenset({
    "agent-forwarding", "no-agent-forwarding", "port-forwarding", "no-port-forwarding", "permitopen", "permitlisten", "tunnel", "user-rc",
    "no-user-rc", "x11-forwarding", "no-x11-forwarding", "environment",
})  # fmt: skip
OURS = frozenset({"expiry-time", "restrict", "pty"})
COMMENT = 100  # characters of a comment that are shown
_OPTION = re.compile(r'([A-Za-z0-9-]+)(?:="((?:[^"\\]|\\.)*)")?(,|[ \t]+|$)')
_LINE_END = re.compile(r"\r\n|\n|\r")  # str.splitlines knows others, which may stand in a key's comment
_TIME = re.compile(r"([0-9]{8})(?:([0-9]{4})([0-9]{2})?)?(Z?)")
_WILD = re.compile(r"[0-9A-Fa-f:.]*[*?][0-9A-Fa-f:.*?]*")


class BadLineError(ValueError):
    """A line that lets nobody in; the text says why, and never holds the key."""


@dataclass(frozen=True, slots=True)
class Line:
    """One key. rule: the line as asyncssh is to read it, without its comment; ends: when it expires.

    data: of the key (RFC 4253, section 6.6). Who logged in by a rule may stay as long as it is among the rules.
    """

    where: str
    rule: str
    data: bytes
    fingerprint: str
    comment: str
    ends: dt.datetime | None = None


class Found(NamedTuple):
    """lines: those that are good, expired ones too; refused: places of lines that let nobody in, and why."""

    lines: tuple[Line, ...]
    refused: tuple[str, ...]


def read(settings: Options) -> Found:
    """The lines of the settings. Reads a file."""
    unread: list[str] = []
    found = parse(list(sources(settings, unread)))
    return Found(found.lines, (*unread, *found.refused))


def parse(texts: Sequence[tuple[str, str]]) -> Found:
    """The lines of texts, each behind the place that it is from. Of 10,000 lines a second's work: for a thread."""
    good: list[Line] = []
    refused: list[str] = []
    for where, text in texts:
        for number, written in enumerate(_LINE_END.split(text), 1):
            # a mark that an editor wrote, also where files were put together; and what asyncssh would take for an end, in a comment
            line = " ".join(written.lstrip(BOM).splitlines()).strip()
            if not line or line.startswith("#"):
                continue
            try:
                good.append(checked(f"{where} line {number}", line))
            except BadLineError as error:
                refused.append(f"{where} line {number}: {error}")
    return Found(tuple(good), tuple(refused))


def sources(settings: Options, refused: list[str]) -> Iterator[tuple[str, str]]:
    """Where keys are, and the texts; a file that can't be read is among those refused."""
    if settings.ssh_authorized_keys:
        yield "HAYSTACK_SSH_AUTHORIZED_KEYS", settings.ssh_authorized_keys
    if not settings.ssh_authorized_keys_file:
        return
    path = Path(str(settings.ssh_authorized_keys_file))
    try:
        yield f"HAYSTACK_SSH_AUTHORIZED_KEYS_FILE: {path}", path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        refused.append(f"HAYSTACK_SSH_AUTHORIZED_KEYS_FILE: {path}: {unreadable.why(error)}")


def checked(where: str, line: str) -> Line:
    """What the line says. Raises BadLineError."""
    options, rest = split(line)
    ends = None
    for name, value in options:
        if name not in DONE | MOOT | OURS:
            raise BadLineError(f"the option {printable(name[:40])!r} is not supported, so the key is refused")
        if name == "expiry-time":
            ends = _end(value) if ends is None else min(ends, _end(value))
        if name == "from":
            _addresses(value or "")
    kept = [f'{name}="{value}"' if value is not None else name for name, value in options if name not in OURS]
    names = {name for name, _ in options}
    if "restrict" in names and "pty" not in names:
        kept.append("no-pty")
    return _line(where, ",".join(kept), rest, ends)


def _line(where: str, options: str, rest: str, ends: dt.datetime | None) -> Line:
    rule = " ".join([*([options] if options else ()), *rest.split(None, 2)[:2]])
    try:
        asyncssh.import_authorized_keys(rule)
        key = asyncssh.import_public_key(rest)
        comment = key.get_comment() or ""
    except (ValueError, LookupError, TypeError, ArithmeticError) as error:  # asyncssh's own words repeat the line
        raise BadLineError(
            "this is not a public key" if isinstance(error, ValueError) else f"it can't be read: {type(error).__name__}"
        ) from None
    return Line(where, rule, key.public_data, key.get_fingerprint(), printable(comment)[:COMMENT], ends)


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
    return len(words) > 1 and (words[0].startswith(("ssh-", "ecdsa-", "sk-")))


def _addresses(value: str) -> None:
    """What from= takes here. Raises BadLineError: a pattern that never fits would lock its owner out without a word."""
    for pattern in value.split(","):
        bare = pattern.removeprefix("!")
        try:
            if not _WILD.fullmatch(bare):
                ipaddress.ip_network(bare)
        except ValueError:
            why = "takes addresses, networks and patterns of addresses, not names"
            raise BadLineError(f"from= {why}, and {printable(pattern[:40])!r} is none of them, so the key is refused") from None


def _end(value: str | None) -> dt.datetime:
    """sshd(8): YYYYMMDD[HHMM[SS]][Z], in the system's time zone unless it ends in Z. Raises BadLineError."""
    match = _TIME.fullmatch(value or "")
    end = _moment(match) if match is not None else None
    if end is None:
        raise BadLineError("expiry-time is not YYYYMMDD[HHMM[SS]][Z], so the key is refused")
    return end


def _moment(match: re.Match[str]) -> dt.datetime | None:
    """None: there is no such day or time."""
    day, minute, second, utc = match.groups()
    try:
        read = dt.datetime.strptime(f"{day}{minute or '0000'}{second or '00'}", "%Y%m%d%H%M%S")  # noqa: DTZ007 - told below
        return read.replace(tzinfo=dt.UTC) if utc else read.astimezone()
    except (ValueError, OverflowError):  # of astimezone too: no local time is known in the year 1
        return None

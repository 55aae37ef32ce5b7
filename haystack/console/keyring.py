"""Which keys may enter now: the lines of keys.py as asyncssh asks for them, read anew at each login and whenever the file changes.

So a key that is put in lets in at once, and one that is taken out, or has expired, ends its sessions within a second or two. Never
decides what a line means.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import asyncssh
import structlog

from haystack.console import keys
from haystack.console.keys import Line
from haystack.views.state import Options

log = structlog.get_logger(__name__)
LINE = "haystack-line"  # among a key's options: the Line that it is of
LOOK = 1.0  # seconds between two looks at the file
SETTLED = 0.5  # seconds after a change before it ends a session


class Ring(asyncssh.SSHAuthorizedKeys):
    """The good lines at one moment. listed: fingerprint → a line, expired ones too."""

    def __init__(self, lines: tuple[Line, ...], now: dt.datetime) -> None:
        super().__init__()
        self.listed = {line.fingerprint: line for line in lines}
        self.rules = {line.rule for line in lines if not over(line, now)}
        self._of: dict[bytes, list[tuple[Line, asyncssh.SSHAuthorizedKeys]]] = {}
        for line in lines:
            if not over(line, now):
                self._of.setdefault(line.data, []).append((line, asyncssh.import_authorized_keys(line.rule)))

    def validate(
        self,
        key: asyncssh.SSHKey,
        client_host: str,
        client_addr: str,
        cert_principals: Sequence[str] | None = None,
        ca: bool = False,
    ) -> Mapping[str, object] | None:
        """The options of the first line that lets this key in from this address; ca: as the signer of a certificate."""
        for line, entry in self._of.get(key.public_data, ()):
            options = entry.validate(key, client_host, client_addr, cert_principals, ca)
            if options is not None:
                return {**options, LINE: line}
        return None


def over(line: Line, now: dt.datetime) -> bool:
    """Whether the key has expired."""
    return line.ends is not None and now >= line.ends


class Keyring:
    """The keys of these settings. ring: as they were read last; changed: called with it when the file has changed, or a key has expired."""

    def __init__(self, settings: Options, changed: Callable[[Ring], None]) -> None:
        self._settings = settings
        self._changed = changed
        self._told: tuple[str, ...] = ()
        self._reading = asyncio.Lock()
        self._texts: list[tuple[str, str]] | None = None
        self._first: tuple[int, ...] | None = None  # state of the file when it was read first
        self.ring = Ring((), dt.datetime.now(dt.UTC))
        self._ends: dt.datetime | None = None  # of the next key that will expire
        file = settings.ssh_authorized_keys_file
        self._path = Path(str(file)) if file else None

    async def now(self) -> Ring:
        """The keys that may enter now. Lines that let nobody in are told once, and again when they are others."""
        async with self._reading:  # one after the other: what was read last counts
            told = await asyncio.to_thread(self._read)
        if told != self._told:
            self._told = told
            for line in told:
                log.warning("key.ignored", line=line, reason="the key can't be used")
        return self.ring

    def _read(self) -> tuple[str, ...]:
        """Read anew; the lines to tell of. Of a file that is what it was, nothing is parsed."""
        if self._texts is None:
            self._first = self._state()
        now, unread = dt.datetime.now(dt.UTC), list[str]()
        texts = list(keys.sources(self._settings, unread))
        if texts == self._texts and not unread and not self._due(now):
            return self._told
        found = keys.parse(texts)
        self._texts, self.ring = texts, Ring(found.lines, now)
        self._ends = min((line.ends for line in found.lines if line.ends is not None and line.ends > now), default=None)
        expired = (f"{line.where}: the key has expired" for line in found.lines if over(line, now))
        return (*unread, *found.refused, *expired)

    def _due(self, now: dt.datetime) -> bool:
        return self._ends is not None and now >= self._ends

    async def follow(self) -> None:
        """Tell of each change since the first reading, until cancelled."""
        seen = self._first
        while True:
            await asyncio.sleep(LOOK)
            if await asyncio.to_thread(self._state) != seen:
                await asyncio.sleep(SETTLED)  # for an editor that empties the file first: a key that is not there yet was not taken out
                seen = await asyncio.to_thread(self._state)
            elif not self._due(dt.datetime.now(dt.UTC)):
                continue
            try:
                self._changed(await self.now())
            except Exception:
                log.exception("shell.keys_failed")

    def _state(self) -> tuple[int, ...] | None:
        """What changes whenever the file does, or who may read it; None when there is none."""
        try:
            stat = self._path.stat() if self._path else None
        except OSError:
            return None
        return (stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size, stat.st_ino) if stat else None

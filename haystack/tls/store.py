"""Which certificate is for which name, of all that the sources have: exact, wildcard, default. Readers get immutable pictures of it.

Runs on the control process's loop and never waits. What sources tell within one round of the loop makes one new picture. A new certificate
under the same key replaces the old one; a source that can't read the new one says so by `fail`, and the old one stays.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from haystack.loop.turns import Turns, in_turns
from haystack.tls.certificate import Certificate, wildcard

FOLDER, ACME, LOCAL = "folder", "acme", "local"
SOURCES = (FOLDER, ACME, LOCAL)  # who goes first where two have one for the same name
DEFAULT = "default"  # the key of the folder's certificate for names that no other is for
LOOK = 60.0  # seconds between two judgements of what is valid
PREFERRED = "ECDSA P-256"
_NAME = "name/"  # no file's name and no host has a slash: whatever a container calls itself, it is never a certificate's key

_NOTHING: MappingProxyType[Any, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Entry:
    """What a source has under one key (a file's name, an order's): for /api/certificates and the shell.

    certificate: None where there never was a good one; error: why the newest can't be had or used; empty: it can.
    renewal: when the next one is asked for, Unix seconds; 0: nobody asks.
    """

    source: str
    key: str
    certificate: Certificate | None = None
    error: str = ""
    renewal: float = 0.0

    @property
    def names(self) -> tuple[str, ...]:
        """What it is for; without a certificate, what it is kept under."""
        return self.certificate.names if self.certificate is not None else (self.key.removeprefix(_NAME),)


@dataclass(frozen=True, slots=True)
class Certificates:
    """One picture of the store. names: by host name, wildcards as `*.example.com`; default: for all other names, None: they are refused.

    challenges: for tls-alpn-01 alone, by name (RFC 8737). entries: by source and key.
    """

    version: int = 0
    names: Mapping[str, Certificate] = field(default_factory=lambda: _NOTHING)
    default: Certificate | None = None
    challenges: Mapping[str, Certificate] = field(default_factory=lambda: _NOTHING)
    entries: Mapping[tuple[str, str], Entry] = field(default_factory=lambda: _NOTHING)

    def find(self, name: str) -> Certificate | None:
        """What a client gets that asks for this name in lower case; None: its handshake is refused."""
        return self.names.get(name) or self.names.get(wildcard(name)) or self.default


def key_of_name(name: str) -> str:
    """The key of what is told of a name that has no certificate."""
    return _NAME + name


class Store:
    """All certificates. Readers are called soon after each change, once for many. clock: Unix seconds."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._entries: dict[tuple[str, str], Entry] = {}
        self._candidates: dict[str, dict[tuple[str, str], Certificate]] = {}  # by name, then by who has it
        self._best: dict[str, Certificate] = {}
        self._challenges: dict[str, Certificate] = {}
        self._readers: list[Callable[[Certificates], None]] = []
        self._soon: asyncio.Handle | None = None
        self.picture = Certificates()

    def subscribe(self, reader: Callable[[Certificates], None]) -> Callable[[], None]:
        """Call reader with each new picture; gives what ends that. The one that there is, is in `picture`."""
        self._readers.append(reader)
        return lambda: self._readers.remove(reader)

    def put(self, source: str, key: str, certificate: Certificate, renewal: float = 0.0) -> None:
        """A source has this under a key from now on, in place of what it had there."""
        self._forget(source, key)
        self._entries[source, key] = Entry(source, key, certificate, renewal=renewal)
        for name in certificate.names:
            self._candidates.setdefault(name, {})[source, key] = certificate
            self._choose(name)
        self._changed()

    def fail(self, source: str, key: str, error: str, renewal: float = 0.0) -> None:
        """What is under this key can't be renewed or read: what was there stays, and this is told. error: one line."""
        was = self._entries.get((source, key), Entry(source, key))
        self._entries[source, key] = replace(was, error=error, renewal=renewal or was.renewal)
        self._changed()

    def remove(self, source: str, key: str) -> None:
        """No more of that; one that is not there is no error."""
        self._forget(source, key)
        if self._entries.pop((source, key), None) is not None:
            self._changed()

    def keys(self, source: str) -> frozenset[str]:
        """Those of a source."""
        return frozenset(key for by, key in self._entries if by == source)

    def challenge(self, name: str, certificate: Certificate | None) -> None:
        """What a CA gets that asks for `acme-tls/1` of this name; None: nothing any more."""
        if certificate is None:
            self._challenges.pop(name, None)
        else:
            self._challenges[name] = certificate
        self._changed()

    def publish(self) -> None:
        """Tell the readers now what there is."""
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None
        self.picture = Certificates(
            version=self.picture.version + 1,
            names=MappingProxyType(dict(self._best)),
            default=self._default(),
            challenges=MappingProxyType(dict(self._challenges)),
            entries=MappingProxyType(dict(self._entries)),
        )
        for reader in tuple(self._readers):
            reader(self.picture)

    async def run(self) -> None:
        """Have those that end, or begin, make room for others, or take it, until cancelled."""
        while True:
            await asyncio.sleep(LOOK)
            await in_turns(self.judge())

    def judge(self) -> Turns[None]:
        """Choose anew where there is a choice: which are valid changes with time."""
        for name in tuple(self._candidates):
            if len(self._candidates.get(name, ())) > 1:
                was = self._best[name]
                self._choose(name)
                if self._best[name] is not was:
                    self._changed()
            yield

    def _changed(self) -> None:
        if self._soon is None:
            self._soon = asyncio.get_running_loop().call_soon(self.publish)

    def _forget(self, source: str, key: str) -> None:
        was = self._entries.get((source, key))
        for name in was.certificate.names if was is not None and was.certificate is not None else ():
            self._candidates[name].pop((source, key), None)
            self._choose(name)

    def _choose(self, name: str) -> None:
        """The best of those for a name."""
        candidates = self._candidates[name]
        if candidates:
            now = self._clock()
            self._best[name] = min(candidates.items(), key=lambda item: rank(item[0], item[1], now))[1]
        else:
            del self._candidates[name]
            self._best.pop(name, None)

    def _default(self) -> Certificate | None:
        found = self._entries.get((FOLDER, DEFAULT))
        return found.certificate if found is not None else None


def rank(owner: tuple[str, str], certificate: Certificate, now: float) -> tuple[bool, int, bool, float, str]:
    """Smaller is better: one that is valid, of the first source, with the key that costs least, and that lasts longest."""
    source, key = owner
    return not certificate.is_valid(now), SOURCES.index(source), certificate.kind != PREFERRED, -certificate.not_after, key

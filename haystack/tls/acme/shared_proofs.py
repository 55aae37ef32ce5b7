"""Pending http-01 challenges for all Haystacks that share a state folder: whichever of them the authority reaches can answer.

Who orders puts each into a file of its own (`proofs/`). The others watch that folder, and say in files of theirs (`followers/`) what they
answer for: so who orders knows when the authority may look. Where nobody follows, nobody is waited for. Files that are left over count
for a while only. Never decides who orders.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import msgspec
import structlog

from haystack.loop import watched_file
from haystack.tls import private_file
from haystack.tls.acme.orders import Proof

KEPT = 900.0  # seconds that a file counts: longer than any order goes on
MOST, LARGEST = 1000, 4096  # files that are read, and bytes of each
BEAT = 5.0  # seconds between two signs of life of a follower
PRESENT = 20.0  # seconds for which one counts
PATIENCE = 5.0  # seconds for which followers are waited for
LOOK = 0.05
_log = structlog.get_logger("haystack.tls")
Others = Mapping[tuple[str, str], str]  # (host name, token) → key authorization


class Shown(msgspec.Struct, frozen=True):
    """One file. until: Unix seconds."""

    name: str
    token: str
    authorization: str
    until: float


class SharedProofs:
    """path: of the authority's folder; leads: whether this Haystack orders, so that nobody has to wait for it. clock: Unix seconds."""

    def __init__(self, path: Path, leads: Callable[[], bool], clock: Callable[[], float] = time.time) -> None:
        self._proofs, self._followers = path / "proofs", path / "followers"
        self._leads = leads
        self._clock = clock
        self._me = self._followers / secrets.token_hex(8)
        self._mine: set[str] = set()
        self._known: dict[str, Shown] = {}
        self._said: bytes | None = None
        self._beaten = 0.0
        self._lost = ""
        self._over = False

    async def put(self, proof: Proof) -> None:
        """Have the others answer for this too, as far as they are there."""
        key = key_of(proof.name, proof.token)
        self._mine.add(key)
        try:
            await asyncio.to_thread(self._write, key, proof)
            end = time.monotonic() + PATIENCE
            while not await asyncio.to_thread(self._is_seen, key):
                if time.monotonic() > end:
                    _log.warning(
                        "acme.unshared", name=proof.name, reason=f"another Haystack has not taken over a challenge in {PATIENCE:g} s"
                    )
                    return
                await asyncio.sleep(LOOK)
        except OSError as error:
            _log.warning("acme.unshared", name=proof.name, reason=f"{self._proofs}: {error.strerror or error}")

    async def remove(self, proof: Proof) -> None:
        """No more of that."""
        key = key_of(proof.name, proof.token)
        self._mine.discard(key)
        with contextlib.suppress(OSError):
            await asyncio.to_thread((self._proofs / f"{key}.json").unlink, missing_ok=True)

    async def run(self, take: Callable[[Others], Awaitable[None]]) -> None:
        """Hand over what the others show, whenever that has changed, until cancelled. take: returns once workers answer for it."""
        try:
            async for _ in watched_file.ticks_within(self._proofs):
                await self._look(take)
        finally:
            self._over = True
            self._leave()

    async def _look(self, take: Callable[[Others], Awaitable[None]]) -> None:
        try:
            found = await asyncio.to_thread(self._read)
            if found != self._known:
                self._known = found
                await take({(each.name, each.token): each.authorization for each in found.values()})
            await asyncio.to_thread(self._attend)
        except OSError as error:
            why = f"{error.filename or self._proofs}: {error.strerror or error}"
            if why != self._lost:
                _log.warning("acme.unshared", name="", reason=why)
            self._lost = why
        else:
            self._lost = ""

    def _write(self, key: str, proof: Proof) -> None:
        shown = Shown(proof.name, proof.token, proof.authorization, self._clock() + KEPT)
        path = self._proofs / f"{key}.json"
        private_file.write(path, msgspec.json.encode(shown))
        if key not in self._mine:  # given up meanwhile
            path.unlink(missing_ok=True)

    def _read(self) -> dict[str, Shown]:
        """What others show now, by its key. What is over is removed."""
        self._proofs.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = {}
        for path in sorted(self._proofs.glob("[!.]*.json"))[:MOST]:
            if path.stem in self._mine:
                continue
            shown = self._known.get(path.stem) or _shown(path)
            if shown is not None and shown.until > self._clock():
                found[path.stem] = shown
            elif shown is not None:
                path.unlink(missing_ok=True)
        return found

    def _attend(self) -> None:
        """Say what we answer for, where somebody else orders."""
        if self._leads():
            self._leave()
            return
        said, now = msgspec.json.encode(sorted(self._known)), time.monotonic()
        if said != self._said:
            private_file.write(self._me, said)
        elif now - self._beaten > BEAT:
            try:
                os.utime(self._me)
            except FileNotFoundError:
                private_file.write(self._me, said)
        else:
            return
        self._said, self._beaten = said, now
        if self._over:  # it has ended while this thread wrote
            self._leave()

    def _leave(self) -> None:
        if self._said is not None:
            self._said = None
            with contextlib.suppress(OSError):
                self._me.unlink(missing_ok=True)

    def _is_seen(self, key: str) -> bool:
        """Whether all who follow answer for it. Time is that of the file system: machines may have others."""
        now = (self._proofs / f"{key}.json").stat().st_mtime
        for path in self._followers.glob("[!.]*"):
            with contextlib.suppress(FileNotFoundError, msgspec.DecodeError):
                if (
                    path != self._me
                    and path.stat().st_mtime > now - PRESENT
                    and key not in msgspec.json.decode(path.read_bytes(), type=list[str])
                ):
                    return False
                if path.stat().st_mtime < now - KEPT:
                    path.unlink(missing_ok=True)
        return True


def key_of(name: str, token: str) -> str:
    """What its file is called: a token is the authority's word, and no name of a file."""
    return hashlib.sha256(f"{name} {token}".encode()).hexdigest()[:32]


def _shown(path: Path) -> Shown | None:
    """What stands in it; None: it has just gone, or is none of ours."""
    try:
        with path.open("rb") as file:
            found = msgspec.json.decode(file.read(LARGEST), type=Shown)
    except (FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError):
        return None
    return found if key_of(found.name, found.token) == path.stem else None

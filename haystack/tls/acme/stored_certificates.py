"""The certificates of one authority that there are: in the state folder, and in the store for the workers.

Looks at the folder for what another Haystack has put there, and puts back what somebody has taken away. Decides nothing about ordering.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from haystack.loop.turns import Turns, in_turns
from haystack.tls import certificates, store
from haystack.tls.acme import csr, renewal
from haystack.tls.acme.folder import Folder
from haystack.tls.acme.history import Window
from haystack.tls.acme.plan import Held
from haystack.tls.certificate import Certificate
from haystack.tls.certificates import CertificateError
from haystack.tls.store import Store

GONE = 86400.0  # seconds after its end until a certificate that nobody needs is removed


class StoredCertificates:
    """windows: what the authority suggests, by fingerprint; damaged: told of a file that can't be used, and why."""

    def __init__(self, folder: Folder, kept: Store, window: Callable[[str], Window | None], damaged: Callable[[str, str], None]) -> None:
        self._folder = folder
        self._store = kept
        self._window = window
        self._damaged = damaged
        self._seen: dict[str, tuple[int, int]] = {}
        self._unread: dict[str, str] = {}  # and told
        self.there: dict[str, Certificate] = {}
        self.held: dict[str, Held] = {}

    async def look(self, *, ours: bool) -> None:
        """Take in what is new in the folder. ours: nobody else writes there, so what is lacking is put back. Raises FolderError."""
        found = await asyncio.to_thread(self._folder.certificates, self._seen)
        await in_turns(self._take(found.new))
        self._seen = found.seen
        for key, why in found.unread.items():
            if self._unread.get(key) != why:
                self._damaged(f"{key}.pem", why)
        self._unread = found.unread
        if not ours:
            return
        for key in [each for each in self.there if each not in found.seen]:
            made = self.there[key]
            await asyncio.to_thread(self._folder.keep_certificate, key, made.chain + made.key)

    def _take(self, found: dict[str, bytes]) -> Turns[None]:
        for key, pem in found.items():
            try:
                self.put(key, certificates.read_both(pem))
            except CertificateError as error:
                self._damaged(f"{key}.pem", str(error))
            yield

    def put(self, key: str, certificate: Certificate) -> None:
        """Have it served."""
        self.there[key] = certificate
        self.weigh(key)

    def weigh(self, key: str) -> None:
        """When it is renewed, by what is known now."""
        one = self.there[key]
        window = self._window(one.fingerprint)
        suggested = (window.start, window.end) if window is not None and window.end else None
        due = renewal.due(one.fingerprint, one.not_before, one.not_after, suggested)
        self.held[key] = Held(key, one.names, one.not_after, due, csr.renewal_id(one.chain))
        self._store.put(store.ACME, key, one, due)

    def weigh_all(self) -> Turns[None]:
        """The same of all, by what the authority has suggested before."""
        for key in tuple(self.there):
            self.weigh(key)
            yield

    async def drop(self, key: str) -> None:
        """Nobody needs it, and it has ended."""
        del self.there[key], self.held[key]
        self._store.remove(store.ACME, key)
        await asyncio.to_thread(self._folder.drop_certificate, key)

    def spent(self, keys: tuple[str, ...], now: float) -> list[str]:
        """Those of these that have ended a while ago."""
        return [key for key in keys if self.there[key].not_after + GONE < now]

    def unheard(self, now: float) -> Turns[list[str]]:
        """Keys of those about which the authority is to be asked what it suggests."""
        found = []
        for key, one in tuple(self.there.items()):
            window = self._window(one.fingerprint)
            if one.is_valid(now) and (window is None or renewal.in_time(window.look, now, renewal.MOST_LOOK) <= now):
                found.append(key)
            yield
        return found

"""How a name is shown to be ours: http-01 (RFC 8555 section 8.3), dns-01 (8.4) and tls-alpn-01 (RFC 8737), by what Haystack serves anyway.

Each says that something is shown only once the workers have it. Never does: talk to an authority.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable

from haystack.dns import challenges, wire
from haystack.dns.challenges import Challenges
from haystack.model.snapshot import Records
from haystack.tls import certificates
from haystack.tls.acme import csr, jose
from haystack.tls.acme.account import new_key, pem
from haystack.tls.acme.errors import ChallengeError
from haystack.tls.acme.orders import Proof
from haystack.tls.acme.reachability import World, challenge_name
from haystack.tls.acme.shared_proofs import Others, SharedProofs
from haystack.tls.certificate import Certificate

HTTP, ALPN, DNS = "http-01", "tls-alpn-01", "dns-01"
PUBLISHED = 5.0  # seconds in which DNS is to have a record
Heard = Callable[[], Awaitable[object]]  # returns once the workers have heard all that they were told before


class HttpChallenges:
    """What workers lead to us, and what is answered: by host name and token. tell: the workers, all that is pending; heard: as above.

    shared: with other Haystacks; None: there are none.
    """

    def __init__(self, tell: Callable[[tuple[tuple[str, str], ...]], None], heard: Heard, shared: SharedProofs | None = None) -> None:
        self._tell = tell
        self._heard = heard
        self._shared = shared
        self._pending: dict[tuple[str, str], str] = {}
        self._others: Others = {}

    def can(self, _name: str, *, wildcard: bool) -> bool:
        """No wildcard can be shown like this (RFC 8555, section 7.1.3)."""
        return not wildcard

    async def show(self, proof: Proof) -> None:
        """Answer for it."""
        try:
            self._pending[proof.name, proof.token] = proof.authorization
            self._tell(self.pending)
            await self._heard()
            if self._shared is not None:
                await self._shared.put(proof)
        except BaseException:
            await self.hide(proof)  # who waits for this no more does not call it
            raise

    async def hide(self, proof: Proof) -> None:
        """No more."""
        self._pending.pop((proof.name, proof.token), None)
        self._tell(self.pending)
        if self._shared is not None:
            await self._shared.remove(proof)

    async def take(self, others: Others) -> None:
        """Answer for what other Haystacks show, too."""
        self._others = others
        self._tell(self.pending)
        await self._heard()

    @property
    def pending(self) -> tuple[tuple[str, str], ...]:
        """Host name and token of each."""
        return tuple({**self._others, **self._pending})

    def answer(self, host: str, token: str) -> str | None:
        """The key authorization; None: nothing of that name and token is pending."""
        name = host.lower().rpartition(":")[0] if ":" in host else host.lower()
        key = name.rstrip("."), token
        return self._pending.get(key) or self._others.get(key)


class DnsChallenges:
    """challenges: of DNS; zone: what is delegated to us; records: those that DNS has by now; world: DNS as others see it."""

    def __init__(self, shown: Challenges, zone: str, records: Callable[[], Records], world: World, heard: Heard) -> None:
        self._shown = shown
        self._zone = zone
        self._records = records
        self._world = world
        self._heard = heard
        self._at: dict[Proof, str] = {}

    def can(self, _name: str, *, wildcard: bool) -> bool:
        """Wherever a zone is delegated: whether its name leads there is seen before an order is placed."""
        del wildcard
        return bool(self._zone)

    async def show(self, proof: Proof) -> None:
        """Publish the record. Raises ChallengeError."""
        name = await challenge_name(self._world, proof.name, self._zone, challenges.LABEL)
        self._at[proof] = name
        try:
            self._shown.put(name, _digest(proof))
            key = wire.name(f"{challenges.LABEL}.{name}")
        except ValueError as error:
            raise ChallengeError({proof.name: str(error)}) from None
        await self._published(proof.name, key, _digest(proof).encode())
        await self._heard()

    async def hide(self, proof: Proof) -> None:
        """Take it away."""
        if (name := self._at.pop(proof, None)) is not None:
            self._shown.remove(name, _digest(proof))

    async def _published(self, name: str, key: bytes, text: bytes) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + PUBLISHED
        while not any(text in record[2] for record in self._records().get(key, ())):
            if loop.time() > end:
                raise ChallengeError({name: "DNS has not published the record in time"})
            await asyncio.sleep(0.02)


class AlpnChallenges:
    """put: has the workers serve a certificate for `acme-tls/1` of a name, or none any more (Store.challenge)."""

    def __init__(self, put: Callable[[str, Certificate | None], None], heard: Heard) -> None:
        self._put = put
        self._heard = heard

    def can(self, _name: str, *, wildcard: bool) -> bool:
        """No wildcard can be shown like this (RFC 8737, section 3)."""
        return not wildcard

    async def show(self, proof: Proof) -> None:
        """Serve the certificate that says it."""
        key = new_key()
        proved = hashlib.sha256(proof.authorization.encode()).digest()
        self._put(proof.name, certificates.read(csr.alpn_certificate(key, proof.name, proved), pem(key).encode()))
        await asyncio.sleep(0)  # the store tells what has changed in the next round of the loop
        await self._heard()

    async def hide(self, proof: Proof) -> None:
        """No more."""
        self._put(proof.name, None)


def _digest(proof: Proof) -> str:
    """What the TXT record says (RFC 8555, section 8.4)."""
    return jose.b64u(hashlib.sha256(proof.authorization.encode()).digest())

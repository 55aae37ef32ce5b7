"""What HAYSTACK_ACME and its sisters make of all this: the parts of an issuer, put together once at the start."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from haystack import __version__
from haystack.dns.challenges import LABEL, Challenges
from haystack.model.records import Problem
from haystack.model.snapshot import Records
from haystack.settings import authorities
from haystack.settings.settings import Settings
from haystack.tls.acme.account import Binding, Wishes
from haystack.tls.acme.authority import Authority, Taste
from haystack.tls.acme.client import Client
from haystack.tls.acme.errors import ChallengeError
from haystack.tls.acme.folder import Folder, place
from haystack.tls.acme.http_client import HttpClient, trusting
from haystack.tls.acme.issuer import Issuer
from haystack.tls.acme.lease import Lease
from haystack.tls.acme.orders import Solver
from haystack.tls.acme.reachability import Reach, Way, World, challenge_name
from haystack.tls.acme.reports import Reports
from haystack.tls.acme.shared_proofs import SharedProofs
from haystack.tls.acme.solvers import ALPN, DNS, HTTP, AlpnChallenges, DnsChallenges, HttpChallenges
from haystack.tls.acme.stored_certificates import StoredCertificates
from haystack.tls.acme.who_answers import HTTP_PORT, TLS_PORT, over_http, over_tls
from haystack.tls.store import Store

AGENT = f"haystack/{__version__}"


@dataclass(frozen=True, slots=True)
class House:
    """What an issuer needs of the rest. records: that DNS has; heard: returns once workers have heard what they were told before.

    name: what tells this Haystack from others.
    """

    store: Store
    challenges: Challenges
    records: Callable[[], Records]
    prove: Callable[[tuple[tuple[str, str], ...]], None]
    heard: Callable[[], Awaitable[object]]
    world: World
    addresses: Callable[[], Sequence[object]]
    complain: Callable[[tuple[Problem, ...]], None]
    name: str


class Delegated:
    """Whether what is to be shown of a name by dns-01 is in the zone that is ours."""

    def __init__(self, world: World, zone: str) -> None:
        self._world = world
        self._zone = zone

    async def why_not(self, name: str) -> str:
        """Why not; empty: it is."""
        try:
            await challenge_name(self._world, name, self._zone, LABEL)
        except ChallengeError as error:
            return error.names[name]
        return ""


class Acme:
    """The issuer of these settings. http: what is answered to an authority that looks for a challenge. Made where imports may happen."""

    def __init__(self, settings: Settings, house: House) -> None:
        self._settings = settings
        self._house = house
        folder = Folder(place(settings.state_dir, settings.acme))
        lease = Lease(folder.path / "lease", house.name)
        self._shared = SharedProofs(folder.path, lambda: lease.held)
        self.http = HttpChallenges(house.prove, house.heard, self._shared)
        self.issuer = self._made(folder, lease)

    async def share(self) -> None:
        """Answer for what other Haystacks with this state folder show, until it is cancelled."""
        await self._shared.run(self.http.take)

    def _made(self, folder: Folder, lease: Lease) -> Issuer:
        settings, house = self._settings, self._house
        reports = Reports(settings.acme, house.store, house.complain)
        client = Client(HttpClient(Trust(settings.acme_ca).context, AGENT), settings.acme)
        kid, _, secret = (settings.acme_eab or "").rpartition(":")
        wishes = Wishes(settings.acme_email or "", Binding(kid, secret) if kid else None)
        taste = Taste(settings.acme_profile or "", settings.acme_chain or "")
        authority = Authority(client, folder, wishes, self._solvers(), taste, reports.registered, time.time)
        zone = settings.acme_dns_zone if DNS in settings.acme_challenges else None
        return Issuer(
            authority,
            folder,
            lease,
            lambda window, damaged: StoredCertificates(folder, house.store, window, damaged),
            Reach(house.world, self._way(), lambda: settings.address or house.addresses(), given=bool(settings.address)),
            Delegated(house.world, zone) if zone else None,
            reports,
            public=authorities.is_public(settings.acme),
            https=settings.https,
        )

    def _way(self) -> Way:
        """How the authority will look for a name that has to lead here: by the challenge that is preferred."""
        if next((kind for kind in self._settings.acme_challenges if kind in (HTTP, ALPN)), HTTP) == ALPN:
            return Way(AlpnChallenges(self._house.store.challenge, self._house.heard), over_tls, TLS_PORT)
        return Way(self.http, over_http, HTTP_PORT)

    def _solvers(self) -> dict[str, Solver]:
        """By the kind of challenge, the preferred one first."""
        settings, house = self._settings, self._house
        made: dict[str, Solver] = {HTTP: self.http, ALPN: AlpnChallenges(house.store.challenge, house.heard)}
        if settings.acme_dns_zone:
            made[DNS] = DnsChallenges(house.challenges, settings.acme_dns_zone, house.records, house.world, house.heard)
        return {kind: made[kind] for kind in settings.acme_challenges if kind in made}


class Trust:
    """What an authority's certificate is verified by: read when it is first needed, in a thread, and again where the file was not there."""

    def __init__(self, ca: Path | None) -> None:
        self._ca = ca
        self._made: ssl.SSLContext | None = None

    async def context(self) -> ssl.SSLContext:
        """Raises OSError and SSLError."""
        if self._made is None:
            self._made = await asyncio.to_thread(trusting, self._ca)
        return self._made

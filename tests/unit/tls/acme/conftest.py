"""An issuer before an authority in memory, on a clock that only a test moves."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from haystack.loop.turns import at_once
from haystack.model.services import Carried, Service
from haystack.tls.acme.account import Wishes
from haystack.tls.acme.authority import Authority, Taste
from haystack.tls.acme.client import Client
from haystack.tls.acme.folder import Folder
from haystack.tls.acme.issuer import Issuer
from haystack.tls.acme.lease import Lease
from haystack.tls.acme.reports import Reports
from haystack.tls.acme.stored_certificates import StoredCertificates
from haystack.tls.store import ACME, Store, key_of_name
from tests.fakes.acme import BASE, FakeCa

START = 1_800_000_000.0


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


class Solver:
    """Shows what it is told to, where it can. shown: (name, token) at the moment; ever: all of them."""

    def __init__(self, *, wildcards: bool) -> None:
        self.shown: set[tuple[str, str]] = set()
        self.ever: list[tuple[str, str]] = []
        self._wildcards = wildcards

    def can(self, name: str, *, wildcard: bool) -> bool:
        return self._wildcards or not wildcard

    async def show(self, proof: Any) -> None:
        self.shown.add((proof.name, proof.token))
        self.ever.append((proof.name, proof.token))

    async def hide(self, proof: Any) -> None:
        self.shown.discard((proof.name, proof.token))


class Reached:
    """astray: name → why it does not lead here."""

    def __init__(self) -> None:
        self.astray: dict[str, str] = {}
        self.looked: list[str] = []

    async def why_not(self, name: str) -> str:
        self.looked.append(name)
        return self.astray.get(name, "")


class Rig:
    """One Haystack's issuer. Another one of the same folder: `Rig(…, folder=…)`."""

    def __init__(
        self, folder: Path, clock: Clock, ca: FakeCa, *, name: str = "one", here: str = "m", dns: bool = False, **changes: Any
    ) -> None:
        self.clock, self.ca = clock, ca
        self.store = Store()
        self.reach = Reached()
        self.dns = Reached() if dns else None
        self.http = Solver(wildcards=False)
        self.txt = Solver(wildcards=True)
        self.problems: dict[str, str] = {}
        self.folder = Folder(folder)
        self.lease = Lease(folder / "lease", name, clock, here)
        solvers = {"http-01": self.http, **({"dns-01": self.txt} if dns else {})}
        ca.showing.append(lambda name, token: (name.removeprefix("*."), token) in self.http.shown | self.txt.shown)
        reports = Reports(BASE + "dir", self.store, self._complain)
        wishes, taste = changes.get("wishes", Wishes("me@example.com")), changes.get("taste", Taste())
        client = Client(ca, BASE + "dir", clock)
        authority = Authority(client, self.folder, wishes, solvers, taste, reports.registered, clock)
        self.issuer = Issuer(
            authority, self.folder, self.lease, lambda window, damaged: StoredCertificates(self.folder, self.store, window, damaged),
            self.reach, self.dns, reports, public=changes.get("public", False), clock=clock,
        )  # fmt: skip

    def _complain(self, problems: Any) -> None:
        self.problems = {each.subject: each.message for each in problems}

    def want(self, **services: str) -> None:
        """These services have these hosts."""
        made = {name: Service(name=name, claims=tuple(Carried(host=host) for host in hosts.split(","))) for name, hosts in services.items()}
        at_once(self.issuer.follow(SimpleNamespace(version=1, services=made, changed_since=lambda _version: None)))

    async def round(self, *, later: float = 0.0) -> float:
        """What the issuer does after so many seconds; how long it would wait then."""
        self.clock.now += later
        seconds = await self.issuer.round()
        self.store.publish()
        return seconds

    async def rounds(self, *, later: float = 0.0) -> None:
        """Until there is nothing to do for now."""
        seconds = await self.round(later=later)
        while seconds == 0.0:
            seconds = await self.round()

    @property
    def certified(self) -> list[str]:
        """The names that the store has certificates for."""
        return sorted(self.store.picture.names)

    def entry(self, name: str) -> Any:
        """What is told of a name that has no certificate."""
        return self.store.picture.entries.get((ACME, key_of_name(name)))

    @property
    def ordered(self) -> list[list[str]]:
        """The names of each order."""
        return [[each["value"] for each in order["identifiers"]] for order in self.ca.orders]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ca(clock: Clock) -> FakeCa:
    return FakeCa(clock)


@pytest.fixture
async def rig(tmp_path: Path, clock: Clock, ca: FakeCa) -> Rig:
    return Rig(tmp_path / "acme", clock, ca)

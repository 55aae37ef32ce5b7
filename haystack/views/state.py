"""What the web side and the shell read: one handle on everything that the control process knows.

Never changes anything and never builds anything: app.py fills it in once, the views, the collector and the commands
read it. The Protocols are exactly what those readers need of the other rooms, so that a test can stand in for each.
"""

# ruff: noqa: D102 - what these attributes mean stands at the records that have them

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from haystack.catalog.publishing import Publishing
from haystack.dns.forward.figures import Figures
from haystack.dns.messages import AskerRow, DnsCounts
from haystack.dns.peers import Standing
from haystack.model import source_names
from haystack.model.overrides import Overrides
from haystack.model.records import Container, Departure, Engine, Network, Problem
from haystack.model.service_options import Defaults
from haystack.model.services import Service
from haystack.model.snapshot import Snapshot
from haystack.observe.history import Past
from haystack.observe.journal import Journal
from haystack.observe.trace import TraceHub
from haystack.operator.changes import Operator
from haystack.proxy.counters import Counts
from haystack.proxy.traffic import Traffic
from haystack.tls.store import Store
from haystack.views.rates import Rates

REFRESH_SECONDS = 2.0


class Picture(Protocol):
    """The Snapshot as its readers see it."""

    @property
    def version(self) -> int: ...
    @property
    def created(self) -> float: ...
    @property
    def origin(self) -> str: ...
    @property
    def engines(self) -> Mapping[str, Engine]: ...
    @property
    def networks(self) -> Mapping[str, Network]: ...
    @property
    def containers(self) -> Mapping[str, Container]: ...
    @property
    def services(self) -> Mapping[str, Service]: ...
    @property
    def problems(self) -> Sequence[tuple[str, Problem]]: ...
    @property
    def overrides(self) -> Overrides: ...


class Source(Protocol):
    """How one provider is doing."""

    @property
    def connected(self) -> bool: ...
    @property
    def error(self) -> str | None: ...
    @property
    def since(self) -> float: ...
    @property
    def engine(self) -> Engine | None: ...


class Watcher(Protocol):
    """The health monitor as the shell asks it: what an endpoint's probe said last, and when; empty where there is none."""

    def told(self, identity: str) -> str: ...


class Register(Protocol):
    """The Registry as its readers see it. listed is set once any source has listed; subscribe: see there."""

    @property
    def snapshot(self) -> Picture: ...
    @property
    def sources(self) -> Mapping[str, Source]: ...
    @property
    def listed(self) -> asyncio.Event: ...
    @property
    def publishing(self) -> Publishing: ...
    @property
    def watcher(self) -> Watcher | None: ...
    @property
    def departures(self) -> Sequence[Departure]: ...
    def subscribe(self, callback: Callable[[Snapshot], None]) -> Callable[[], None]: ...


class Resolver(Protocol):
    """DNS, asked by the shell instead of by a packet. lookup: the zone alone; resolve: nameservers too; figures: of forwarding."""

    def lookup(self, name: str, qtype: str, local: str) -> list[str]: ...
    async def resolve(self, name: str, qtype: str, local: str) -> list[str]: ...
    def figures(self) -> Figures | None: ...


class WorkerState(Protocol):
    """One HTTP worker process."""

    @property
    def slot(self) -> int: ...
    @property
    def pid(self) -> int | None: ...
    @property
    def state(self) -> object: ...
    @property
    def trouble(self) -> str: ...
    @property
    def restarts(self) -> int: ...
    @property
    def clients(self) -> int: ...
    def frailty(self, now: float) -> str: ...


class Proxy(Protocol):
    """The supervisor of the workers. dns_counts, askers: of their DNS. requests: (host, port) of the asker's URL → endpoint → count.

    errors: (word of RFC 9209, status; 0: no answer) → exchanges that ended so.
    """

    @property
    def requests(self) -> Mapping[tuple[str, int], Counts]: ...
    @property
    def errors(self) -> Mapping[tuple[str, int], int]: ...
    @property
    def traffic(self) -> Traffic: ...
    @property
    def ports(self) -> Mapping[str, int]: ...
    @property
    def workers(self) -> Sequence[WorkerState]: ...
    @property
    def dns_counts(self) -> DnsCounts: ...
    async def refresh(self) -> None: ...
    async def askers(self, name: bytes | None, clients: tuple[bytes, ...] | None) -> list[AskerRow]: ...


class Setting(Protocol):
    """A setting for a person."""

    @property
    def name(self) -> str: ...
    @property
    def value(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def unset(self) -> bool: ...


class Options(Defaults, Protocol):
    """The settings that the web side and the shell look at."""

    @property
    def bind(self) -> Sequence[str]: ...
    @property
    def ssh_port(self) -> int: ...
    @property
    def dns_ttl(self) -> int: ...
    @property
    def ssh_authorized_keys(self) -> str | None: ...
    @property
    def ssh_authorized_keys_file(self) -> object: ...
    @property
    def ssh_idle_timeout(self) -> float: ...
    @property
    def state_dir(self) -> object: ...
    @property
    def expose(self) -> str: ...
    @property
    def locality(self) -> bool: ...
    @property
    def cors_origin(self) -> str | None: ...
    def told(self) -> Sequence[Setting]: ...


@dataclass(frozen=True, slots=True)
class State:
    """The control process at a glance.

    operator: the door for changes, for the shell alone; started: Unix seconds; ports: listeners beside the proxy's, such as dns and ssh.
    past: what is kept of what happened; rates: of the proxy's traffic; ejections: of endpoints, by service
    and cause; ca: the certificate of Haystack's own authority, PEM, empty: it has none; discovery: the process that watches engines, 0:
    none does; peers: how other Haystacks are doing.
    """

    settings: Options
    registry: Register
    responder: Resolver
    proxy: Proxy
    traces: TraceHub
    operator: Operator
    started: float
    ports: dict[str, int] = field(default_factory=dict)
    past: Past = field(default_factory=Past)
    rates: Rates = field(default_factory=Rates)
    ejections: Mapping[tuple[str, str], int] = field(default_factory=dict)
    certificates: Store = field(default_factory=Store)
    ca: bytes = b""
    discovery: Callable[[], int] = int
    peers: Callable[[], Sequence[Standing]] = tuple

    @property
    def snapshot(self) -> Picture:
        """The newest picture. Read it once and keep it for one answer."""
        return self.registry.snapshot

    @property
    def journal(self) -> Journal:
        """What happened, and what followed."""
        return self.past.journal

    async def refresh(self) -> None:
        """Fetch the workers' newest counters; a worker that does not answer in time costs freshness, not the answer."""
        try:
            async with asyncio.timeout(REFRESH_SECONDS):
                await self.proxy.refresh()
        except TimeoutError:
            pass

    def unready(self, *, public: bool = True) -> list[str]:
        """Why Haystack is not ready, one line each; empty when it is. public: with why no source has listed, but not where they are."""
        reasons = []
        if not self.registry.listed.is_set():
            reasons.append("; ".join(["no source of containers has been listed yet", *(self.troubles(public=True) if public else ())]))
        if not any(word_of(worker.state) in RUNNING for worker in self.proxy.workers):
            reasons.append("no worker runs")
        # who the kernel hands to such a worker's sockets is not served
        return reasons + [worker.trouble for worker in self.proxy.workers if worker.trouble]

    def ailing(self, *, public: bool = False) -> list[str]:
        """What is wrong though traffic may come, one line each: engines that have gone (what they had is served on), workers that die."""
        lost = self.troubles(public=public) if self.registry.listed.is_set() else []
        now = time.monotonic()
        return lost + [text for worker in self.proxy.workers if (text := worker.frailty(now))]

    def wrong(self) -> list[str]:
        """All that is wrong, one line each, and where: for those inside."""
        unlisted = [] if self.registry.listed.is_set() else self.troubles()
        return self.unready(public=False) + unlisted + self.ailing()

    def lost_peers(self) -> list[str]:
        """The other Haystacks that are out, one line each. Nothing is wrong with this one for that."""
        out = (each for each in self.peers() if each.lost)
        return [f"peer {each.name} {'is out' if each.answered else 'has not answered yet'}: {each.error}" for each in out]

    def summary(self) -> str:
        """How it is when all is well, in a line."""
        serving = sum(word_of(worker.state) in RUNNING for worker in self.proxy.workers)
        picture = self.snapshot
        counts = (len(picture.services), "service"), (len(picture.containers), "container"), (serving, "worker")
        return "healthy: " + ", ".join(f"{count} {word}{'' if count == 1 else 's'}" for count, word in counts)

    def troubles(self, *, public: bool = False) -> list[str]:
        """The sources of containers that don't answer now, and why, one line each. public: without saying where they are."""
        sources = self.public_sources() if public else sorted(self.registry.sources.items())
        lost = ((name, source.error) for name, source in sources if not source.connected)
        return [f"{name} does not answer: {error}" if error else f"{name} has not answered yet" for name, error in lost]

    def public_sources(self) -> list[tuple[str, Source]]:
        """The sources by names that don't tell where they are: that is for the shell alone."""
        named: dict[str, Source] = {}
        for number, (key, source) in enumerate(sorted(self.registry.sources.items()), 1):
            name = source_names.name(key, source.engine) or f"engine {number}"
            named[f"{name} ({number})" if name in named else name] = source
        return list(named.items())


# The supervisor's words for a worker are starting, serving, draining and dead; only one of these takes new requests.
RUNNING = frozenset({"serving", "running"})


def word_of(state: object) -> str:
    """A worker's state as a lower-case word, whether it is a string or an enum."""
    return str(getattr(state, "value", state)).lower()

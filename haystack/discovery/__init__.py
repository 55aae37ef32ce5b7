"""Sources of containers: Docker engines, a static file, the demo. `providers` makes those that the settings ask for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

from haystack.discovery.docker.timing import Timing
from haystack.discovery.docker.tls import TlsOptions, TlsSettings
from haystack.discovery.provider import Provider

DEFAULT_HOST = "unix:///var/run/docker.sock"


class DiscoverySettings(TlsSettings, Protocol):
    """The part of Settings that is read here."""

    @property
    def docker_host(self) -> tuple[str, ...]:
        """DOCKER_HOST."""

    @property
    def aliases(self) -> tuple[str, ...]:
        """HAYSTACK_ALIASES."""

    @property
    def engine_grace(self) -> float:
        """HAYSTACK_ENGINE_GRACE, in seconds."""

    @property
    def static(self) -> Any:
        """HAYSTACK_STATIC."""

    @property
    def swarm(self) -> bool:
        """HAYSTACK_SWARM."""


def providers(settings: DiscoverySettings, *, demo: bool = False) -> list[Provider]:
    """The demo when asked for; else the static file when one is set; else one provider an engine, in the order given, and their Swarm."""
    # Imported here, for each brings a library that the others don't need.
    if demo:
        from haystack.discovery.demo import DemoProvider  # noqa: PLC0415 - what this start does not use is not loaded

        return [DemoProvider()]
    if settings.static:
        from haystack.discovery.static import StaticProvider  # noqa: PLC0415 - what this start does not use is not loaded

        return [StaticProvider(settings.static)]
    from haystack.discovery.docker.provider import DockerProvider  # noqa: PLC0415 - what this start does not use is not loaded

    tls = TlsOptions.of(settings)
    hosts = tuple(dict.fromkeys(settings.docker_host or (DEFAULT_HOST,)))
    aliases = tuple(settings.aliases)
    engines = [DockerProvider(host, tls, Timing(grace=settings.engine_grace), aliases) for host in hosts]
    return [*_with_swarm(engines, hosts, tls, aliases)] if settings.swarm else [*engines]


def _with_swarm(engines: Iterable[Provider], hosts: Sequence[str], tls: TlsOptions, aliases: tuple[str, ...]) -> Iterator[Provider]:
    """The engines, and the Swarm that they may be in: its list and theirs are made one."""
    from haystack.discovery.swarm.provider import SOURCE, SwarmProvider  # noqa: PLC0415 - what this start does not use is not loaded
    from haystack.discovery.swarm.sightings import Sighted, Sightings  # noqa: PLC0415 - what this start does not use is not loaded

    sightings = Sightings(SOURCE)
    yield from (Sighted(engine, sightings) for engine in engines)
    yield SwarmProvider(hosts, sightings, tls, aliases=aliases)

"""Which nameservers a name is asked of: those of its domain (HAYSTACK_DNS_FORWARD), else those that are set, else /etc/resolv.conf's.

Never does: send anything. resolv.conf is looked at when a question is to be sent, once a second at most, so what has changed there holds
from the next question on: Docker writes it in place, others put another file there, and no watch is needed for either.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

import structlog

from haystack.dns import wire
from haystack.dns.forward import nameservers
from haystack.dns.forward.nameservers import RESOLV_CONF, Nameserver

log = structlog.get_logger()

EVERY = 1.0
Servers = tuple[Nameserver, ...]


class Domain(Protocol):
    """One domain of HAYSTACK_DNS_FORWARD."""

    @property
    def name(self) -> str:
        """In lower case, without trailing dot."""

    @property
    def nameservers(self) -> tuple[str, ...]:
        """``IP``, ``IP:PORT`` or ``[IPv6]:PORT``."""


class Upstreams(Protocol):
    """The settings that say where names are forwarded to."""

    @property
    def bind(self) -> tuple[Any, ...]:
        """Addresses that Haystack itself listens on; none: all."""

    @property
    def dns_nameservers(self) -> tuple[Any, ...]:
        """None: those of /etc/resolv.conf."""

    @property
    def dns_forward(self) -> Iterable[Domain] | None:
        """Domains that have nameservers of their own."""


class ResolvConf:
    """The nameservers of a resolv.conf, as it is now. own: takes Haystack itself out of them; clock: seconds, monotonic."""

    def __init__(
        self, own: Callable[[Iterable[str]], Servers], path: Path = RESOLV_CONF, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._own = own
        self._path = path
        self._clock = clock
        self._looked = -EVERY
        self._seen: object = self
        self._servers: Servers = ()

    def __call__(self) -> Servers:
        """In the order of the file; none where it can't be read."""
        now = self._clock()
        if now - self._looked >= EVERY:
            self._looked = now
            self._look()
        return self._servers

    def _look(self) -> None:
        try:
            found = self._path.stat()
            seen: object = (found.st_ino, found.st_size, found.st_mtime_ns)
        except OSError:
            seen = None
        if seen == self._seen:
            return
        first, self._seen = self._seen is self, seen
        servers = self._own(nameservers.resolv_conf(self._path))
        if not first and servers != self._servers:
            log.info("nameservers.changed", path=str(self._path), nameservers=[nameservers.text(each) for each in servers])
        self._servers = servers


class Routes:
    """Nameservers by name. default: for names of no domain; domains: lower-case wire form of a domain → its nameservers."""

    def __init__(self, default: Servers | Callable[[], Servers] = (), domains: Mapping[bytes, Servers] | None = None) -> None:
        self._default = default
        self._domains = dict(domains or {})

    @property
    def default(self) -> Servers:
        """Those for names of no domain."""
        return self._default() if callable(self._default) else self._default

    def of(self, name: bytes) -> Servers:
        """The nameservers of the longest domain that this name (lower-case wire form) is, or is below."""
        servers = self._domains.get(self.domain(name))
        return self.default if servers is None else servers

    def domain(self, name: bytes) -> bytes:
        """The longest domain of HAYSTACK_DNS_FORWARD that has this name; the root: none has it."""
        return next((above for above in wire.parents(name) if above in self._domains), b"\0") if self._domains else b"\0"

    def opened(self, name: bytes) -> bool:
        """Whether a domain of HAYSTACK_DNS_FORWARD has this name: then it is forwarded, even if such names never leave otherwise."""
        return self.domain(name) in self._domains

    def all(self) -> Servers:
        """Every nameserver, each once."""
        return tuple(dict.fromkeys((*self.default, *(each for servers in self._domains.values() for each in servers))))


def made(settings: Upstreams, port: int) -> Routes:
    """The routes that the settings say. port: that Haystack's own DNS listens on, for it is never a nameserver of its own."""
    bind = tuple(map(str, settings.bind))

    def others(texts: Iterable[str]) -> Servers:
        return nameservers.others(texts, bind, port)

    given = tuple(map(str, settings.dns_nameservers))
    domains = {wire.name(each.name): others(each.nameservers) for each in settings.dns_forward or ()}
    return Routes(others(given) if given else ResolvConf(others), domains)

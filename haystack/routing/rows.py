"""The routing table as it travels to the workers: rows, what they say of a service's options, and the message that carries them."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from haystack.model.service_options import RETRIED, ServiceOptions
from haystack.model.services import SPOKEN, Sealing

LISTENERS = ("http", "http-alt")
ADMIN = "admin"  # the listener of the web side alone, where there is one
HTTPS = "https"  # where there is a source of certificates; its routes are those of http
EVERY = (*LISTENERS, ADMIN, HTTPS)  # in the order of their indexes, as far as they are there
OF_ROUTES = (
    "path",
    "timeout_ms",
    "balance",
    "sticky",
    "wait_ms",
    "retry",
    "upgrade",
    "https",
    "hsts_max_age",
)  # what a worker's Route is told of a row, by name


class Defaults(NamedTuple):
    """For services that say nothing else; seconds. near: endpoints on Haystack's own host come first."""

    balance: str
    timeout: float
    wait: float
    https: str = "on"  # of services with a public name
    near: bool = True


def asked(options: ServiceOptions, defaults: Defaults, https: str) -> dict[str, Any]:
    """Options as the fields of a row: in the workers' units, with the defaults of what they do not say. https: the default of that."""
    return {
        "balance": options.balance or defaults.balance,
        "sticky": options.sticky or "",
        "max_connections": options.max_connections or 0,
        "timeout_ms": max(1, int((options.timeout or defaults.timeout) * 1000)),
        "wait_ms": int((defaults.wait if options.wait is None else options.wait) * 1000),
        "retry": RETRIED if options.retry is None else options.retry,
        "upgrade": options.upgrade or (),
        "https": options.https or https,
        "hsts_max_age": options.hsts_max_age or 0,
    }


class Message(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Base of all messages; the class name is the tag."""


class EndpointRow(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One endpoint that is ready.

    weight: 0 to …, 100 being usual; born: since when its process runs, Unix seconds; protocol: one of SPOKEN; sealing: of one within TLS;
    proxy_protocol: the version of the PROXY header that connections to it begin with; 0: there is none.
    """

    id: str
    address: str
    port: int
    weight: int
    born: float = 0.0
    protocol: str = SPOKEN[0]
    sealing: Sealing | None = None
    proxy_protocol: int = 0


class ServiceRow(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A service's own name, or a claim of it, as a worker needs it: hosts that lead to the same endpoints, below one path prefix.

    name: the service's; claim: empty, or the haystack.host and path that this row is for: requests wait, are sent again and are spread
    row by row; path: `/` or a prefix without slash at its end.
    listeners: the endpoints for each listener by its index; the last of them stands for those that are not there.
    wait_ms: that a request waits for an endpoint once the service has lost its last one; 0: not at all.
    max_connections: exchanges at once an endpoint, of all workers together; 0: any number.
    retry: statuses after which a request that only reads asks another endpoint.
    awaited: nobody is in, and an endpoint is expected within seconds.
    why, since: where a listener has no endpoint, why the one that left last is out, and since when (Unix seconds).
    upgrade: protocols beside websocket that an Upgrade may name, in lower case; `any`: all but h2c and TLS.
    public: for everybody; else for the inside alone.
    https: on, off, redirect, passthrough (requests for a host whose TLS is passed through) or raw (that TLS; path is empty then);
    hsts_max_age: seconds for which clients are told to use HTTPS alone, 0: they are not.
    mute: no port of it speaks HTTP, and this is what its 404 says of it.
    """

    name: str
    hosts: tuple[str, ...]
    balance: str
    sticky: str
    timeout_ms: int
    listeners: tuple[tuple[EndpointRow, ...], ...]
    path: str = "/"
    max_connections: int = 0
    wait_ms: int = 0
    retry: tuple[int, ...] = ()
    awaited: bool = False
    why: str = ""
    since: float = 0.0
    claim: str = ""
    upgrade: tuple[str, ...] = ()
    public: bool = False
    mute: str = ""
    https: str = "on"
    hsts_max_age: int = 0

    @property
    def key(self) -> str:
        """What tells it from all other rows; neither part holds a blank."""
        return f"{self.name} {self.claim}" if self.claim else self.name


class Table(Message, frozen=True):
    """The routing table of one snapshot: whole, or what is new in it since the one before.

    removed: keys of rows that are there no more. ended: endpoints (id, address, port) that can't answer any more. stopped: endpoints that
    left because their containers were told to stop: what they break off says nothing against a request.
    last: with this part the version is complete.
    """

    version: int
    services: tuple[ServiceRow, ...]
    removed: tuple[str, ...] = ()
    whole: bool = True
    last: bool = True
    ended: tuple[tuple[str, str, int], ...] = ()
    stopped: tuple[tuple[str, str, int], ...] = ()

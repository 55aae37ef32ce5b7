"""The routing table as it travels to the workers: rows, and the message that carries them."""

from __future__ import annotations

import msgspec

from haystack.model.records import ConnectionOptions
from haystack.model.service_options import ServiceOptions

LISTENERS = ("http", "http-alt")
ADMIN = "admin"  # the listener of the web side alone, where there is one
HTTPS = "https"  # where there is a source of certificates; its routes are those of http
EVERY = (*LISTENERS, ADMIN, HTTPS)  # in the order of their indexes, as far as they are there


class Message(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Base of all messages; the class name is the tag."""


class EndpointRow(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One endpoint that is ready.

    weight: 0 to …, 100 being usual; born: since when its process runs, Unix seconds; connection: how connections to it are made.
    """

    id: str
    address: str
    port: int
    weight: int
    born: float = 0.0
    connection: ConnectionOptions = ConnectionOptions()


class ServiceRow(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A service's own name, or a claim of it, as a worker needs it: hosts that lead to the same endpoints, below one path prefix.

    name: the service's; claim: empty, or the haystack.host and path that this row is for: requests wait, are sent again and are spread
    row by row; path: `/` or a prefix without slash at its end.
    options: those in effect, whose https may also be raw: the row leads TLS that is passed through, whatever is asked for in it (path is
    empty then). It is passthrough where the row leads requests for such a host, and they can't be served.
    listeners: the endpoints for each listener by its index; the last of them stands for those that are not there.
    awaited: nobody is in, and an endpoint is expected within seconds.
    why, since: where a listener has no endpoint, why the one that left last is out, and since when (Unix seconds).
    public: for everybody; else for the inside alone.
    mute: no port of it speaks HTTP, and this is what its 404 says of it.
    """

    name: str
    hosts: tuple[str, ...]
    options: ServiceOptions
    listeners: tuple[tuple[EndpointRow, ...], ...]
    path: str = "/"
    awaited: bool = False
    why: str = ""
    since: float = 0.0
    claim: str = ""
    public: bool = False
    mute: str = ""

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

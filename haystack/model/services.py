"""What the catalog makes of what discovery found, as frozen records: Service and Endpoint.

Never does: any input or output, any decision. The zone, the routing table, the API and the shell read them.
"""

from __future__ import annotations

import enum

from haystack.model.records import ConnectionOptions, Problem, Record
from haystack.model.service_options import ServiceOptions

PASSTHROUGH = "passthrough"  # of haystack.https: the container ends the TLS of its hosts itself
PASSED = "https"  # the listener of its port for that


class Cause(enum.Enum):
    """Why an endpoint is in or out, by itself, before its peers are looked at. Decisions go by this, and never by the words of a reason."""

    WELL = enum.auto()
    DRAINED = enum.auto()  # an operator took it out: never in
    EJECTED = enum.auto()  # out for what its traffic showed, within the half that may be
    SILENT = enum.auto()  # the same: it accepts, and answers nothing
    UNWELL = enum.auto()  # a check is against it: in where nobody is well
    LOST = enum.auto()  # its host is believed to be away: the same
    STARTING = enum.auto()  # its health check has not passed yet: the same
    BROKEN = enum.auto()  # waited for too long: in where nobody else is better
    WAITING = enum.auto()  # not there yet: out, and awaited
    REFUSED = enum.auto()  # its check is against it, and is required: never in
    UNREACHABLE = enum.auto()  # no network leads to it: never in, for whoever asks it waits for nothing but a time limit
    STOPPING = enum.auto()  # its container was told to stop: never in
    GONE = enum.auto()  # its container does not run: never in


class Override(Record, frozen=True, kw_only=True):
    """What an operator decided about an endpoint, a container or a service: that it gets no new request, or which weight it has.

    scope: ``endpoint``, ``container`` or ``service`` (which is in maintenance then); target: its id, or the service's whole name; name:
    what it is called, for people; container: the id of that which it is, or is of, empty for a service; weight: None: it is drained.
    by: the comment of the operator's key, with its fingerprint; at: Unix seconds; until: Unix seconds, 0.0: until it is undone;
    kept: over a restart too.
    """

    scope: str
    target: str
    name: str
    container: str = ""
    weight: int | None = None
    by: str
    fingerprint: str = ""
    why: str = ""
    at: float
    until: float = 0.0
    kept: bool = False

    @property
    def kind(self) -> str:
        """``drain``, ``maintenance`` (of a whole service) or ``weight``."""
        return "weight" if self.weight is not None else "maintenance" if self.scope == "service" else "drain"


class Detour(Record, frozen=True, kw_only=True):
    """That requests to an endpoint go to a published port, why so, and the addresses and the port that are its container's own."""

    why: str
    address: str
    address6: str | None
    port: int


class Destination(Record, frozen=True, kw_only=True):
    """Where requests to an endpoint go.

    remote: that is another host than Haystack's; detour: it is a port that is published there.
    """

    address: str
    address6: str | None = None
    port: int
    remote: bool = False
    detour: Detour | None = None


class Endpoint(Destination, frozen=True, kw_only=True):
    """One port of one container as a member of a service.

    id: ``SHORTID:PORT/PROTOCOL``, stable while the container lives; target: the DNS name of the container;
    listener: ``http`` or ``http-alt`` when the port speaks HTTP there, ``https`` when TLS is passed through to it, else None; connection:
    how connections to it are made;
    ready: may be chosen now; reason: why it may or may not, for people; cause: the same, to decide by; since: Unix seconds of the last
    change of that; until: Unix seconds at which it comes back by itself, 0.0 where no time says so; awaited: not ready, but expected within
    seconds, and nobody else is ready;
    unreachable: not ready, for Haystack has no way to it, and nobody else is ready: DNS has it still, for its neighbours may reach it;
    born: Unix seconds at which its container started, 0.0 while that does not run: whoever has another one is another process;
    share: of its weight for now, below 1.0 while it starts slowly; risen: from when that counts, in seconds of a clock that never
    jumps, 0.0 where it does not start slowly; overrides: of an operator, a drain first; its weight is that of an override by now.
    remote: it runs on another host than Haystack; address_reason: why requests go to a published port there, empty where they do not:
    `own` is then the address, the other address and the port of its container.
    """

    id: str
    container: str
    container_name: str
    target: str
    protocol: str
    port_name: str
    listener: str | None = None
    connection: ConnectionOptions = ConnectionOptions()
    weight: int = 100
    born: float = 0.0
    ready: bool = True
    reason: str = "running"
    cause: Cause = Cause.WELL
    since: float = 0.0
    until: float = 0.0
    awaited: bool = False
    unreachable: bool = False
    share: float = 1.0
    risen: float = 0.0
    overrides: tuple[Override, ...] = ()
    remote: bool = False
    address_reason: str = ""
    own: tuple[str, str | None, int] | None = None

    @property
    def well(self) -> bool:
        """In, and nothing speaks against it."""
        return self.ready and self.cause is Cause.WELL

    @property
    def panicked(self) -> bool:
        """In by panic: something speaks against it, but too few of its service are well."""
        return self.ready and self.cause is not Cause.WELL

    @property
    def speaks_http(self) -> bool:
        """Whether requests may go there."""
        return self.listener is not None and self.listener != PASSED


class Carried(ServiceOptions, frozen=True, kw_only=True):
    """A claim of a service: a haystack.host with its path prefix, and the endpoints of the containers that carry it.

    They are judged among themselves: who is ready here may be out of the service, for there others stand in for it. The options are those
    on which these containers agree: others of the service may ask for something else.
    path: empty where it is no claim of requests, but of the host's TLS, which is passed through to them.
    public: for everybody; else for the inside alone.
    """

    host: str
    path: str = "/"
    public: bool = True
    endpoints: tuple[Endpoint, ...] = ()


class Service(ServiceOptions, frozen=True, kw_only=True):
    """A name with endpoints. name is whole (``nginx.services.haystack``), lower case, without trailing dot.

    spelled: whole names that lead to it as its own does, with underscores (``my_app.services.haystack`` of ``my-app.services.haystack``);
    path: the prefix below which its own name leads to all of them; claims: what leads to some of them beside that.
    public: its own name is for everybody; else for the inside alone.
    """

    name: str
    spelled: tuple[str, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    claims: tuple[Carried, ...] = ()
    path: str | None = None
    public: bool = False
    problems: tuple[Problem, ...] = ()

    @property
    def hosts(self) -> tuple[str, ...]:
        """The host names that lead to some endpoint of it, beside its own."""
        return tuple(dict.fromkeys(c.host for c in self.claims))

    @property
    def has_http(self) -> bool:
        """True when a port of it speaks HTTP, ready or not: its name then answers with Haystack's own address."""
        return any(e.speaks_http for e in self.endpoints)

    def has_public_name(self, of: Service | Carried) -> bool:
        """Whether everybody may ask for it by some name; `of` is itself, or the claim that is looked at."""
        return bool(self.claims) or of.public

    @property
    def passed(self) -> frozenset[str]:
        """The hosts whose TLS is passed through to it."""
        return frozenset(c.host for c in self.claims if not c.path)

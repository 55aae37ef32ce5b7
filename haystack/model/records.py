"""The words of Haystack as frozen records: what discovery finds and what everything else reads.

Never does: any input or output, any decision. Discovery makes Engine, Network and Container (whole lists in a
Listing); the catalog makes Service and Endpoint from them; the zone, the routing table, the API and the shell read.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence

import msgspec

SPOKEN = ("http", "h2c", "h2", "https")  # what haystack.protocol takes
SEALED = ("h2", "https")  # those of them that are within TLS
RETRIED = (500, 502, 503, 504)  # answers that say that the endpoint failed, rather than what it was asked (RFC 9110, section 15.6)


class Record(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Base of every record here: immutable, compared by value. Each says frozen and kw_only again: kw_only is not inherited."""


class Problem(Record, frozen=True, kw_only=True, order=True):
    """Something odd that was ignored or worked around, so that a person can mend it.

    subject: what it is about, such as ``label haystack.port``; message: what is wrong and what was done instead.
    """

    subject: str
    message: str


class Engine(Record, frozen=True, kw_only=True):
    """One Docker daemon. id is as the daemon tells it (colon-separated words or a UUID).

    remote: it runs on another host than Haystack, by all that is known; node: its id in its Swarm, empty: it is in none.
    """

    id: str
    name: str
    host: str
    address: str | None = None
    version: str = ""
    remote: bool = False
    node: str = ""

    @property
    def short_id(self) -> str:
        """First 12 letters and digits of the id, lower case: the D of ``dD.dockers.ORIGIN``."""
        return "".join(c for c in self.id if c.isalnum())[:12].lower()


class Network(Record, frozen=True, kw_only=True):
    """One network of an engine. scope: ``local``, ``global`` or ``swarm``; subnet in CIDR form.

    attachable: containers may join it, and not only the tasks of Swarm services. ingress: it is Swarm's routing mesh.
    """

    id: str
    name: str
    engine: str
    scope: str = "local"
    driver: str = ""
    gateway: str | None = None
    subnet: str | None = None
    subnets: tuple[str, ...] = ()
    attachable: bool = False
    ingress: bool = False


class Attachment(Record, frozen=True, kw_only=True):
    """A container's place on one network. Addresses are textual, without prefix length. aliases: its names there beside its own."""

    network: str
    network_id: str = ""
    scope: str = "local"
    ipv4: str | None = None
    ipv6: str | None = None
    mac_address: str | None = None
    endpoint_id: str | None = None
    aliases: tuple[str, ...] = ()


class Port(Record, frozen=True, kw_only=True, order=True):
    """A port that a container listens on. name: the IANA service name, or the number as text where there is none."""

    number: int
    protocol: str
    name: str


class Published(Record, frozen=True, kw_only=True, order=True):
    """A port of a container that its engine forwards from a port of its host: `address`, `host_port` leads to `port`.

    address: one of the host's; as the engine tells it, it may be unspecified (``0.0.0.0``, ``::``): all of them. ingress: a Swarm's nodes
    publish it, each of them for all tasks of the service.
    """

    port: int
    protocol: str
    address: str
    host_port: int
    ingress: bool = False

    @property
    def place(self) -> str:
        """For people."""
        return f"[{self.address}]:{self.host_port}" if ":" in self.address else f"{self.address}:{self.host_port}"


class ServiceOptions(Record, frozen=True, kw_only=True):
    """What labels ask for a service as a whole: of its containers, which have to agree, and of the service; None: not asked."""

    balance: str | None = None
    sticky: str | None = None
    max_connections: int | None = None
    timeout: float | None = None
    wait: float | None = None
    retry: tuple[int, ...] | None = None
    upgrade: tuple[str, ...] | None = None
    https: str | None = None
    hsts_max_age: int | None = None


class Options(ServiceOptions, frozen=True, kw_only=True):
    """What the haystack.* labels of a container ask for, already checked; None or empty: not asked. labelled: it has one that counts."""

    enable: bool = True
    name: str | None = None
    group: str | None = None
    port: int | None = None
    network: str | None = None
    hosts: tuple[str, ...] = ()
    path: str | None = None
    weight: int | None = None
    health_policy: str | None = None
    proxy_protocol: int = 0
    eject: bool = True
    public: bool | None = None
    protocol: str | None = None
    tls_ca: str | None = None
    tls_server_name: str | None = None
    tls_verify: bool = True
    labelled: bool = False
    health: Mapping[str, str] = {}


PASSTHROUGH = "passthrough"  # of haystack.https: the container ends the TLS of its hosts itself
PASSED = "https"  # the listener of its port for that
STOPPING = "stopping"  # the state of a container that was told to stop and has not ended yet
ABSENT, AWAITED = "absent", "awaited"  # the state of what stands for a Swarm service without a task that runs; AWAITED: one is on its way


class Obstacle(Record, frozen=True, kw_only=True):
    """Why a container's address may lead to nobody from where Haystack is, by all that is known of networks.

    A theory: it counts where connecting fails, and one connection that can be made proves it wrong. remedy: what to type or do; refusal:
    a connection that is refused shows it too, for somebody else has the address. certain: no theory: whoever answers there is another one.
    """

    why: str
    remedy: str
    refusal: bool = False
    certain: bool = False

    @property
    def told(self) -> str:
        """Both, for people."""
        return f"{self.why}; {self.remedy}"


class Whereabouts(Record, frozen=True, kw_only=True):
    """Where a container is.

    address and address6: the ones chosen, with address_reason, and with what may stand between them and Haystack. remote: it runs on
    another host than Haystack; published: where its ports can be reached from other hosts; lost: why its host is believed to be away.
    """

    attachments: tuple[Attachment, ...] = ()
    network: str | None = None
    address: str | None = None
    address6: str | None = None
    address_reason: str = ""
    obstacle: Obstacle | None = None
    remote: bool = False
    published: tuple[Published, ...] = ()
    lost: str = ""


class Container(Whereabouts, frozen=True, kw_only=True):
    """One container as far as Haystack cares. No environment variable of it is kept.

    id: 64 hex digits; image: as it was asked for; image_id: which that was, ``sha256:`` and 64 hex digits, or empty; image_name: IMAGE
    of docs/naming.md; services: the short names (``nginx``, ``web.nginx``, ``db.shop``) it belongs to, without ``.services.ORIGIN``;
    originals: what each of these was made of, as in naming.originals; label: what it is called in DNS, where that is not what its name
    gives, for others have that;
    state: running, paused, stopping or host's other words; state_reason and since say why and when (Unix seconds);
    health: none, starting, healthy or unhealthy, with health_output, the beginning of what the last check printed (for the log and the
    shell alone).
    """

    id: str
    name: str
    engine: str
    image: str = ""
    image_id: str = ""
    image_name: str = ""
    state: str = "running"
    state_reason: str = ""
    since: float = 0.0
    health: str = "none"
    health_output: str = ""
    ports: tuple[Port, ...] = ()
    services: tuple[str, ...] = ()
    originals: tuple[str, ...] = ()
    label: str = ""
    options: Options = Options()
    problems: tuple[Problem, ...] = ()

    @property
    def short_id(self) -> str:
        """Docker's 12 hex digits."""
        return self.id[:12]


class Peer(Record, frozen=True, kw_only=True):
    """Another Haystack, or (own) this one as others reach it.

    name: for people; address: an IP address, empty where it is not known; near: (network's id, IPv4, IPv6) for each network of containers
    that it is on: whoever is on that reaches it there; port: of its HTTP.
    """

    name: str
    address: str = ""
    near: tuple[tuple[str, str | None, str | None], ...] = ()
    port: int = 80
    own: bool = False


class Departure(Record, frozen=True, kw_only=True):
    """How a container ended, for the log and the shell alone.

    container: as it was last seen; at: Unix seconds by its engine's clock; seen: the same moment in seconds of our clock that only grows;
    exit: its process's status as text, empty where not told; oom: it, or something in it, was killed for lack of memory.
    """

    container: Container
    at: float
    seen: float
    exit: str = ""
    oom: bool = False


class Listing(Record, frozen=True, kw_only=True):
    """The whole of what one provider sees at one moment: the unit that crosses from discovery to the registry.

    containers: a tuple, or Listed where there may be thousands (listed.py); departures: of the last minute or so, the latest last;
    told: Unix seconds, by its engine's clock, of the first event since the list before; 0.0: there was none. peers: Haystack's own tasks in
    a Swarm.
    """

    engine: Engine | None = None
    networks: tuple[Network, ...] = ()
    containers: Sequence[Container] = ()
    problems: tuple[Problem, ...] = ()
    departures: tuple[Departure, ...] = ()
    told: float = 0.0
    peers: tuple[Peer, ...] = ()


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


class Sealing(Record, frozen=True, kw_only=True):
    """How an endpoint is spoken to within TLS.

    name: that its certificate has to be for, a host name or an IP address; ca: the PEM file of those who may have signed it, empty: the
    system's; verify: else any certificate will do.
    """

    name: str
    ca: str = ""
    verify: bool = True


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
    listener: ``http`` or ``http-alt`` when the port speaks HTTP there, ``https`` when TLS is passed through to it, else None; speaks: how
    it does, one of SPOKEN; sealing: where that is within TLS;
    ready: may be chosen now; reason: why it may or may not, for people; cause: the same, to decide by; since: Unix seconds of the last
    change of that; until: Unix seconds at which it comes back by itself, 0.0 where no time says so; awaited: not ready, but expected within
    seconds, and nobody else is ready;
    unreachable: not ready, for Haystack has no way to it, and nobody else is ready: DNS has it still, for its neighbours may reach it;
    born: Unix seconds at which its container started, 0.0 while that does not run: whoever has another one is another process;
    share: of its weight for now, below 1.0 while it starts slowly; risen: from when that counts, in seconds of a clock that never
    jumps, 0.0 where it does not start slowly; overrides: of an operator, a drain first; its weight is that of an override by now;
    proxy_protocol: the version of the PROXY header that connections to it begin with, 0: there is none.
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
    speaks: str = SPOKEN[0]
    sealing: Sealing | None = None
    weight: int = 100
    proxy_protocol: int = 0
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
    def speaks_http(self) -> bool:
        """Whether requests may go there."""
        return self.listener is not None and self.listener != PASSED


class Carried(Record, frozen=True, kw_only=True):
    """A claim of a service: a haystack.host with its path prefix, and the endpoints of the containers that carry it.

    They are judged among themselves: who is ready here may be out of the service, for there others stand in for it.
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

    @property
    def passed(self) -> frozenset[str]:
        """The hosts whose TLS is passed through to it."""
        return frozenset(c.host for c in self.claims if not c.path) if self.https == PASSTHROUGH else frozenset()

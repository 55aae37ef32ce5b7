"""What discovery finds, as frozen records: Engine, Network and Container, whole lists of them in a Listing.

Never does: any input or output, any decision. What the catalog makes of them is in services.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from haystack.model.service_options import ServiceOptions

SPOKEN = ("http", "h2c", "h2", "https")  # what haystack.protocol takes
SEALED = ("h2", "https")  # those of them that are within TLS


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


class Options(ServiceOptions, frozen=True, kw_only=True, array_like=False):
    """What the haystack.* labels of a container ask for, already checked; None or empty: not asked. labelled: it has one that counts.

    The discovery process tells them by their names: after an upgrade in place, it may be newer than the control process.
    """

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


class ConnectionOptions(Record, frozen=True, kw_only=True, array_like=True):
    """How connections to an endpoint are made, as the labels of its container ask for it. Fields are named as those of Options.

    protocol: one of SPOKEN; tls_server_name: that its certificate has to be for, a host name or an IP address; tls_ca: the PEM file of
    those who may have signed it, empty: the system's; tls_verify: else any certificate will do; proxy_protocol: the version of the PROXY
    header that a connection begins with, 0: there is none.
    """

    protocol: str = SPOKEN[0]
    tls_server_name: str = ""
    tls_ca: str = ""
    tls_verify: bool = True
    proxy_protocol: int = 0

    @property
    def is_sealed(self) -> bool:
        """Whether they are within TLS."""
        return self.protocol in SEALED

    @property
    def speech(self) -> tuple[object, ...]:
        """The protocol of these connections, and their TLS: alike for endpoints that are spoken to in one way."""
        return tuple(getattr(self, name) for name in SPEECH)


OF_TLS = tuple(name for name in ConnectionOptions.__struct_fields__ if name.startswith("tls_"))
SPEECH = ("protocol", *OF_TLS)
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
    originals: what each of these was made of, as in naming.originals; withheld: why it belongs to none, though its name or labels would
    give it one; label: what it is called in DNS, where that is not what its name gives, for others have that;
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
    withheld: str = ""
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

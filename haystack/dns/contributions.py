"""What one engine, container or service contributes to the zone: names, and what stands there. Pure.

Never does: keep anything, look at what others contribute. Between the snapshot's records and the zone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from haystack.dns import special_names, wire
from haystack.dns.facts import Contribution, Facts, Held, Host, Rank, Target, host, possible
from haystack.dns.special_names import LOCALHOST
from haystack.loop.turns import Turns, stretches
from haystack.model import naming
from haystack.model.naming import label
from haystack.model.records import ABSENT, AWAITED, Attachment, Container, Engine
from haystack.model.services import Carried, Endpoint, Service
from haystack.model.snapshot import Records

RUNNING = "running"
Hosts = Callable[[Endpoint], Host]


def of_origin(origin: str) -> Contribution:
    """What is there in any case."""
    made = Contribution()
    for text in (origin, f"ns.{origin}"):
        if facts := made.at(text):
            facts.own = True
    for branch in ("services", "containers", "dockers"):
        made.at(f"{branch}.{origin}")
    for special in special_names.SPECIAL:
        if special.below == "nothing":
            made.at(f"*.{special.name}")
    _add_localhost(made)
    return made


def _add_localhost(made: Contribution) -> None:
    """RFC 6761 section 6.3: it is loopback, and so is every name below it; whatever else is called so."""
    loopback = host("127.0.0.1", "::1")
    for text in (LOCALHOST, f"*.{LOCALHOST}"):
        if facts := made.at(text):
            facts.own = False
            facts.add_host(loopback)
    made.lead_back(LOCALHOST, loopback)


def of_engine(origin: str, engine: Engine) -> Contribution:
    """An engine's names and address."""
    made, one, short = Contribution(), host(engine.address, None), engine.short_id
    named = label(engine.name)
    names = [(each, rank) for each, rank in ((f"d{short}" if short else "", Rank.ID), (named, _rank(named, engine.name))) if each]
    for each, rank in names:
        made.name(f"{each}.dockers.{origin}", one, rank)
    for each, _ in names[-1:]:
        made.lead_back(f"{each}.dockers.{origin}", one)
    return made


def of_container(origin: str, container: Container, one: Host) -> Contribution:
    """A container's names, and its addresses on every network. one: it."""
    made = Contribution()
    if container.state in (ABSENT, AWAITED):
        return made  # it is none
    made.name(naming.container_name(naming.id_label(container.short_id), origin), one, Rank.ID)
    named = naming.container(origin, container)
    made.name(named, one, _rank(named, naming.container_name(container.name, origin)))
    if exact := naming.underscored(label(container.name), container.name.lower()):
        made.name(naming.container_name(exact, origin), one, _rank(exact, container.name))
    made.lead_back(named, one)
    for alias, there in _aliases(container, one).items() if container.state == RUNNING else ():
        made.name(naming.container_name(alias, origin), there, Rank.ALIAS)
    return made


def _rank(spelled: str, original: str) -> Rank:
    return Rank.EXACT if spelled == original else Rank.CHANGED


def _aliases(container: Container, one: Host) -> dict[str, Host]:
    """What it is called on its networks, with its addresses on the network where it is called so: the chosen one, or the first by name."""
    places: dict[str, Attachment] = {}
    for place in container.attachments:
        for alias in place.aliases:
            known = places.setdefault(alias, place)
            if place.network == container.network != known.network:
                places[alias] = place
    found: dict[str, Host] = {}
    for alias, place in places.items():
        for spelled in naming.spellings(alias):
            found.setdefault(spelled, host(place.ipv4, place.ipv6, one.near))
    return found


def of_service(origin: str, service: Service, hosts: Hosts, before: Held = lambda _key: None) -> Turns[Contribution]:
    """A service's names and records. One of which nothing is ready leaves DNS. hosts: who an endpoint is; before: what it had at a name.

    What is awaited within seconds counts as ready, and so does what nobody but Haystack may have no way to: its neighbours ask for its
    address, and who asks for it over HTTP is told what to do.
    """
    made = Contribution()
    for claims in stretches(service.claims):
        _add_hosts(made, claims)
        yield
    ready = [each for each in service.endpoints if each.ready or each.awaited or each.unreachable]
    yield
    if not ready or (facts := made.at(service.name)) is None:
        return made
    facts.own, facts.public = service.has_http, service.public and service.has_http
    for some in stretches(ready):
        for endpoint in some:
            one = hosts(endpoint)
            if not facts.own:
                facts.add_host(one)
            _add_target(made, origin, service, endpoint, one, before)
        yield
    for spelled in service.spelled:
        _respell(made, wire.name(service.name), spelled)
    return made


def _add_hosts(made: Contribution, claims: Iterable[Carried]) -> None:
    """The haystack.host names, exact ones.

    They stay while somebody carries them, ready or not: they belong to others than Haystack too, whose addresses would be told otherwise.
    """
    for claim in claims:
        if "*" not in claim.host and not special_names.is_fixed(claim.host) and (facts := made.at(claim.host)):
            facts.own = True
            facts.public = facts.public or claim.public


def _respell(made: Contribution, name: bytes, spelled: str) -> None:
    """The very same at another name and below it."""
    if possible(spelled):
        other = wire.name(spelled)
        below = [key for key in made if key.endswith(name) and len(key) - len(name) + len(other) <= wire.LONGEST_NAME]
        made.update((key.removesuffix(name) + other, made[key]) for key in below)


def _add_target(made: Contribution, origin: str, service: Service, endpoint: Endpoint, one: Host, before: Held) -> None:
    """The SRV record of an endpoint."""
    target = endpoint.target.strip(".")
    there = made.at(f"_{label(endpoint.port_name)}._{endpoint.protocol}.{service.name}") if one.v4 or one.v6 else None
    if there is None or not possible(target):
        return
    weight = max(0, min(endpoint.weight, 0xFFFF))
    port = endpoint.port if endpoint.detour is None else endpoint.detour.port
    there.hold("srv", Target(weight, port, target, one))
    # A target must have an address of its own (RFC 2782), whatever the list of containers says.
    if target.lower().endswith(f".{origin}"):
        made.spare(wire.name(target), one, before)


def of_file(records: Records) -> Turns[Contribution]:
    """The records of HAYSTACK_DNS_RECORDS."""
    made = Contribution()
    for some in stretches(tuple(records)):
        for key in some:
            facts = made[key] = Facts()
            facts.records = records[key]
        yield
    return made

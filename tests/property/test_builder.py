"""Snapshots, zones and routing tables from changes alone equal those made of everything, whatever happens in whatever order."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import hypothesis.strategies as st
from hypothesis import given, settings
from msgspec.structs import replace

from haystack.catalog.build import unwatched
from haystack.catalog.check import check
from haystack.catalog.incremental import Builder
from haystack.catalog.intake import Intake
from haystack.dns import wire
from haystack.dns.zone import Zone
from haystack.health.policy import WELL, Condition
from haystack.loop import turns
from haystack.loop.turns import at_once
from haystack.model import listed, ports
from haystack.model.overrides import NONE, Overrides
from haystack.model.records import Attachment, Container, Engine, Listing, Network, Obstacle, Options, Problem
from haystack.model.services import Endpoint, Override
from haystack.model.snapshot import Snapshot
from haystack.routing.rows import Table
from haystack.routing.table_updates import Tables
from haystack.routing.tombstones import Lingering
from tests.fakes.usual import usual
from tests.oracles import routing_table as oracle
from tests.oracles.snapshot import build

ORIGIN = "haystack"
SOURCES = ("x", "y")
HOSTS = ("app.example", "*.example", "two.example", "b.services.haystack", "localhost")

options = st.builds(
    Options,
    enable=st.sampled_from([True, True, True, False]),
    hosts=st.lists(st.sampled_from(HOSTS), max_size=2).map(tuple),
    path=st.sampled_from([None, None, "/api", "/api/", "/b"]),
    balance=st.sampled_from([None, "random", "p2c"]),
    weight=st.sampled_from([None, 7]),
    https=st.sampled_from([None, None, "off", "passthrough"]),
    port=st.sampled_from([None, None, 443]),
    protocol=st.sampled_from([None, None, "https", "h2c"]),
    tls_ca=st.sampled_from([None, "/ca.pem"]),
    health=st.sampled_from([{}, {}, {"slow_start": "30"}]),
)
attachments = st.builds(
    Attachment,
    network=st.sampled_from(["back", "front"]),
    network_id=st.sampled_from(["", "n1", "n2"]),
    ipv4=st.sampled_from([None, "10.1.0.1", "10.1.0.2"]),
    aliases=st.lists(st.sampled_from(["one", "db", "My_db", "c" + "1" * 12]), max_size=2).map(tuple),
)
containers = st.builds(
    Container,
    id=st.sampled_from([f"{n:x}" * 64 for n in range(6)]),
    name=st.sampled_from(["one", "two", "ODD name", "odd-name", "odd_name", "c" + "1" * 12]),
    engine=st.just("e"),
    state=st.sampled_from(["running", "running", "stopping", "paused"]),
    state_reason=st.sampled_from(["", "kill SIGTERM"]),
    since=st.sampled_from([0.0, 40.0, 90.0]),
    health=st.sampled_from(["none", "starting", "healthy", "unhealthy"]),
    address=st.sampled_from([None, "10.0.0.1", "10.0.0.2"]),
    address6=st.sampled_from([None, None, "fd00::1"]),
    network=st.sampled_from(["back", "front"]),
    attachments=st.lists(attachments, max_size=2, unique_by=lambda a: a.network).map(tuple),
    ports=st.lists(st.sampled_from([ports.named(n, "tcp") for n in (80, 8080, 443)]), max_size=2, unique=True).map(tuple),
    services=st.lists(st.sampled_from(["a", "b", "web.a", "no name"]), max_size=3).map(tuple),
    options=options,
    obstacle=st.sampled_from([None, Obstacle(why="no network of both", remedy="type `x`")]),
    problems=st.sampled_from([(), (Problem(subject="s", message="m"),)]),
).flatmap(lambda c: st.sampled_from([c, replace(c, originals=tuple(each.replace("a", "_a") for each in c.services))]))
engines = st.sampled_from([None, Engine(id="E:1", name="one", host="h", address="192.0.2.1"), Engine(id="E:2", name="two", host="h")])
networks = st.sampled_from([(), (Network(id="n", name="n", engine="e"),)])
reasons = st.dictionaries(
    st.tuples(st.integers(0, 5), st.sampled_from([80, 8080])),
    st.sampled_from(
        [
            Condition(waiting="port 80 does not accept"),
            Condition(failing="probe"),
            Condition(ejected="5 in a row", until=200.0),
            Condition(unreachable="no way"),
        ]
    ),
    max_size=3,
)
TARGETS = (
    *(("endpoint", f"{n:x}" * 12 + f":{port}/tcp") for n in range(3) for port in (80, 8080)),
    *(("container", f"{n:x}" * 64) for n in range(3)),
    *(("service", f"{name}.services.haystack") for name in ("a", "b", "web.a")),
)
orders = st.builds(
    lambda target, weight, until, why: Override(
        scope=target[0], target=target[1], name="x", by="me", why=why, at=90.0, until=until,
        weight=weight if target[0] == "endpoint" else None,
    ),
    st.sampled_from(TARGETS), st.sampled_from([None, None, 0, 30]), st.sampled_from([0.0, 500.0]), st.sampled_from(["", "trial"]),
)  # fmt: skip
overridden = st.lists(orders, max_size=4).map(
    lambda made: Overrides(
        drains={o.target: o for o in made if o.weight is None}, weights={o.target: o for o in made if o.weight is not None}
    )
)
steps = st.one_of(
    st.tuples(st.just("put"), st.sampled_from(SOURCES), containers),
    st.tuples(st.just("put"), st.sampled_from(SOURCES), containers),
    st.tuples(st.just("drop"), st.sampled_from(SOURCES), st.integers(0, 5)),
    st.tuples(st.just("twice"), st.sampled_from(SOURCES), st.integers(0, 5)),
    st.tuples(st.just("engine"), st.sampled_from(SOURCES), st.tuples(engines, networks)),
    st.tuples(st.just("conditions"), st.none(), reasons),
    st.tuples(st.just("overrides"), st.none(), overridden),
    st.tuples(st.just("build"), st.none(), st.sampled_from([0.0, 1.0, 12.0, -86400.0, 86400.0])),
)


class World:
    """What the sources list now, the clock that people see and the one that only grows, and what is known of endpoints."""

    def __init__(self) -> None:
        self.listings: dict[str, Listing] = {}
        self.now, self.steady = 100.0, 5.0
        self.conditions: dict[tuple[int, int], Condition] = {}
        self.overrides = NONE

    def condition(self, container: Container, endpoint: Endpoint) -> Condition:
        return self.conditions.get((int(container.id[0], 16), endpoint.port), WELL)

    def put(self, source: str, container: Container) -> None:
        """In its place where it is listed already; else where the engine's order has it."""
        listing = self.listings.get(source, Listing())
        kept = [c for c in listing.containers if c.id != container.id]
        self.listings[source] = replace(listing, containers=tuple(sorted([*kept, container], key=lambda c: c.id)))

    def drop(self, source: str, number: int) -> None:
        listing = self.listings.get(source, Listing())
        self.listings[source] = replace(listing, containers=tuple(c for c in listing.containers if c.id != f"{number:x}" * 64))

    def twice(self, source: str, number: int) -> None:
        """A broken source lists one of its containers twice."""
        listing = self.listings.get(source, Listing())
        if listing.containers:
            odd = replace(listing.containers[number % len(listing.containers)], name="twin")
            self.listings[source] = replace(listing, containers=(*listing.containers, odd))

    def engine(self, source: str, found: tuple[Engine | None, tuple[Network, ...]]) -> None:
        self.listings[source] = replace(self.listings.get(source, Listing()), engine=found[0], networks=found[1])

    def ordered(self) -> dict[str, Listing]:
        return {source: self.listings[source] for source in SOURCES if source in self.listings}


def run(script: list[tuple[str, Any, Any]]) -> list[tuple[Snapshot, Snapshot]]:
    """Each snapshot that the builder made, beside that of everything. So few containers are compared two by two."""
    with patch.object(listed, "STRETCH", 2), patch.object(turns, "STRETCH", 2):
        return _run(script)


def _run(script: list[tuple[str, Any, Any]]) -> list[tuple[Snapshot, Snapshot]]:
    world, doubtful = World(), set()
    whole = Snapshot(version=0, created=0.0, origin=ORIGIN)
    under_test, made = Builder(whole), []
    for step, where, what in [*script, ("build", None, 0.0)]:
        if step == "build":
            world.now += what
            world.steady += abs(what) if abs(what) < 1000 else 1.0
            listings = world.ordered()
            under_test.overrides = world.overrides
            new = at_once(under_test.build(listings, world.now, world.steady, world.condition, doubtful))
            expected = build(whole.version + 1, ORIGIN, listings, world.now, whole, world.condition, world.steady, world.overrides)
            assert (new is None) == expected.same_content(whole)
            doubtful = set()
            if new is not None:
                made.append((new, expected))
                whole = expected
        elif step == "overrides":
            world.overrides = what
        elif step == "conditions":
            doubtful |= {f"{f'{n:x}' * 12}:{port}/tcp" for n, port in {*world.conditions, *what}}
            world.conditions = what
        else:
            getattr(world, step)(where, what)
    return made


@settings(max_examples=300, deadline=None)
@given(st.lists(steps, max_size=25))
def test_snapshots(script: list[tuple[str, Any, Any]]) -> None:
    for new, expected in run(script):
        at_once(check(new))
        for field in ("version", "created", "engines", "networks", "containers", "services", "problems", "overrides"):
            assert getattr(new, field) == getattr(expected, field)
        assert list(new.containers) == list(expected.containers)
        assert list(new.services) == list(expected.services)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(containers, max_size=6, unique_by=lambda c: c.id), max_size=8), st.integers(1, 3))
def test_snapshots_of_lists_that_come_in_by_portions(lists: list[list[Container]], most: int) -> None:
    whole = Snapshot(version=0, created=0.0, origin=ORIGIN)
    under_test, intake = Builder(whole), Intake()
    for whole_list in [*lists, [], []]:
        intake.aim(Listing(containers=tuple(whole_list)))
        at_once(intake.step(most))
        assert intake.listing is not None
        listings = {"x": intake.listing}
        new = at_once(under_test.build(listings, 100.0, 5.0, unwatched, (), {"x": intake.arrival}))
        expected = build(whole.version + 1, ORIGIN, listings, 100.0, whole, unwatched, 5.0)
        assert (new is None) == expected.same_content(whole)
        assert new is None or new.same_content(expected)
        whole = new or whole


@settings(max_examples=200, deadline=None)
@given(st.lists(steps, max_size=25))
def test_a_change_names_all_that_differs(script: list[tuple[str, Any, Any]]) -> None:
    old = None
    for new, _ in run(script):
        if new.change is not None and old is not None:
            assert new.change.base == old.version
            for field in ("containers", "services"):
                before, after = getattr(old, field), getattr(new, field)
                differs = {key for key in {*before, *after} if before.get(key) != after.get(key)}
                assert differs <= getattr(new.change, field)
        old = new


def held(zone: Zone) -> dict[bytes, Any]:
    """Everything that a zone answers from."""
    return {key: (n.own, n.public, list(n.hosts), list(n.srv), list(n.ptr), n.records, n.apex) for key, n in zone.nodes.items()}


NAMED = ("odd-name.containers.haystack", "db.containers.haystack", "a.services.haystack", "app.example", "x.example", "containers.haystack")
FILES = tuple({wire.name(name): ((1, 5, bytes((10, 0, 0, n))),) for name in NAMED[n:]} for n in range(3))


@settings(max_examples=200, deadline=None)
@given(st.lists(steps, max_size=25))
def test_zones(script: list[tuple[str, Any, Any]]) -> None:
    zone = Zone.of(Snapshot(version=0, created=0.0, origin=ORIGIN), 5)
    for made, expected in run(script):
        new = replace(made, records=FILES[made.version // 2 % 3])
        zone = at_once(zone.follow(new))
        assert held(zone) == held(Zone.of(replace(expected, records=new.records), 5))
        assert zone.serial == new.version


DEFAULTS = usual("p2c", 60.0, 0.0)


@settings(max_examples=200, deadline=None)
@given(st.lists(steps, max_size=25))
def test_routing_tables(script: list[tuple[str, Any, Any]]) -> None:
    """Nothing lingers here: nobody waits, and its time is up at once."""
    under_test = Tables(DEFAULTS, Lingering(0.0))
    before, told, last_seen = Table(0, ()), {}, Snapshot(version=0, created=0.0, origin=ORIGIN)
    for new, expected in run(script):
        after = oracle.of(expected, DEFAULTS)
        *_, last = oracle.changes(before, after, oracle.alive(expected))
        parts = at_once(under_test.follow(new, 0.0))
        for part in parts:
            told.update((row.key, row) for row in part.services)
            for key in part.removed:
                del told[key]
        assert told == {row.key: row for row in after.services}
        assert {row.key: row for row in under_test.whole().services} == told
        assert set(parts[-1].ended) == {*last.ended, *oracle.muted(last_seen, expected)}
        assert [part.last for part in parts] == [False] * (len(parts) - 1) + [True]
        before, last_seen = after, expected

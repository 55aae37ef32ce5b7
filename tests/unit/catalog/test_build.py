"""Listings → Snapshot: who is in which service, who is in and why, and what is refused."""

import pytest
from msgspec.structs import replace

from haystack.catalog.build import unwatched
from haystack.catalog.check import SnapshotError, check
from haystack.catalog.incremental import Builder
from haystack.loop.turns import at_once
from haystack.model import ports
from haystack.model.records import Container, Engine, Listing, Options, Problem
from haystack.model.snapshot import Snapshot
from tests.oracles.snapshot import build


def container(number=1, name="one", **fields):
    made = {"engine": "e", "image_name": "nginx", "services": ("nginx",), "address": f"10.0.0.{number}", "ports": (ports.named(80, "tcp"),)}
    return Container(id=f"{number:x}" * 64, name=name, **(made | fields))


def built(*containers, previous=None, now=5.0):
    snapshot = build(1, "haystack", {"x": Listing(containers=containers)}, now, previous)
    at_once(check(snapshot))
    return snapshot


def only(snapshot):
    (service,) = snapshot.services.values()
    return service


def test_one_endpoint_a_port_with_its_target():
    service = only(built(container()))
    (endpoint,) = service.endpoints
    assert service.name == "nginx.services.haystack"
    assert (endpoint.id, endpoint.target) == ("111111111111:80/tcp", "c111111111111.containers.haystack")
    assert (endpoint.listener, endpoint.weight, endpoint.ready) == ("http", 100, True)
    assert service.has_http


@pytest.mark.parametrize(
    ("state", "reason", "ready"), [("running", "", True), ("paused", "paused", False), ("stopping", "kill SIGTERM", False)]
)
def test_state_decides(state, reason, ready):
    (endpoint,) = only(built(container(state=state, state_reason=reason))).endpoints
    assert endpoint.ready is ready
    assert endpoint.reason.endswith(reason) or ready


@pytest.mark.parametrize("health", ["starting", "unhealthy"])
def test_bad_health_is_out_while_another_is_well(health):
    ill = container(1, health=health)
    assert [e.ready for e in only(built(ill, container(2))).endpoints] == [False, True]
    assert [e.ready for e in only(built(ill, container(2, state="paused"))).endpoints] == [True, False]
    assert [e.ready for e in only(built(ill)).endpoints] == [True]


def test_health_of_another_port_does_not_stand_in():
    ill, other = container(1, health="unhealthy"), container(2, ports=(ports.named(443, "tcp"),))
    assert [e.ready for e in only(built(ill, other)).endpoints] == [True, True]


def test_disabled_addressless_and_portless_are_in_no_service():
    assert built(container(options=Options(enable=False))).containers == {}
    assert built(container(address=None)).services == {}
    assert built(container(ports=())).services == {}


def test_only_ipv6_is_an_address_too():
    (endpoint,) = only(built(container(address=None, address6="fd00::7"))).endpoints
    assert endpoint.address == "fd00::7"


def test_a_port_by_label_that_nobody_exposed():
    endpoints = only(built(container(options=Options(port=3000)))).endpoints
    assert [(e.port, e.listener) for e in endpoints] == [(80, None), (3000, "http")]


def test_the_first_source_wins_and_it_is_told():
    listings = {"a": Listing(containers=(container(),)), "b": Listing(containers=(container(name="other"), container(2, "two")))}
    snapshot = build(1, "haystack", listings, 1.0)
    assert {c.name for c in snapshot.containers.values()} == {"one", "two"}
    assert [(w, p.subject) for w, p in snapshot.problems] == [("b", "duplicates")]


def test_an_engine_that_is_named_twice_is_told_once_whatever_it_lists():
    engine = Engine(id="E", name="one", host="unix:///docker.sock")
    told = set()
    for containers in ((container(),), (container(), container(2, "two")), (container(2, "two"),)):
        listings = {source: Listing(engine=engine, containers=containers) for source in ("unix:///docker.sock", "tcp://one:2376")}
        told.add(build(1, "haystack", listings, 1.0).problems)
    assert told == {
        (
            (
                "tcp://one:2376",
                Problem(subject="duplicates", message="it leads to the engine of unix:///docker.sock, too: its containers are listed once"),
            ),
        )
    }


def test_an_engine_of_which_it_is_learned_later_that_it_is_named_twice_is_told_as_that():
    """Its containers are listed before its id is known."""
    engine, builder = Engine(id="E", name="one", host="h"), Builder(Snapshot(version=0, created=0.0, origin="haystack"))
    told = []
    for own in (None, engine, None):
        listings = {"x": Listing(engine=engine, containers=(container(),)), "y": Listing(engine=own, containers=(container(),))}
        snapshot = at_once(builder.build(listings, 1.0, 1.0, unwatched))
        told.append(snapshot and snapshot.problems[0][1].message)
    listed = f"1 containers that x lists too, {container().id[:12]} first: listed once"
    assert told == [listed, "it leads to the engine of x, too: its containers are listed once", listed]


def test_engines_of_one_id_that_list_others_are_two():
    """As those of machines that are copies of one have."""
    engine = Engine(id="E", name="one", host="tcp://one:2376")
    listings = {f"tcp://{c.name}:2376": Listing(engine=engine, containers=(c,)) for c in (container(), container(2, "two"))}
    assert build(1, "haystack", listings, 1.0).problems == ()


def test_options_of_a_service_and_where_its_containers_differ():
    one, two = container(1, options=Options(balance="random", hosts=("h",))), container(2, options=Options(balance="p2c", hosts=("h",)))
    service = only(built(one, two))
    assert (service.balance, service.hosts) == ("random", ("h",))
    assert [p.subject for p in service.problems] == ["label haystack.balance"]
    assert service.problems[0].message.endswith(" is used for h/")
    one, two = container(1, options=Options(balance="random")), container(2, options=Options(balance="p2c"))
    service = only(built(one, two))
    assert (service.balance, [p.subject for p in service.problems]) == ("random", ["label haystack.balance"])
    assert service.problems[0].message.endswith(" is used")


def test_a_name_that_is_none_is_left_out_with_a_problem():
    snapshot = built(container(services=("bad name", "nginx"), problems=(Problem(subject="s", message="m"),)))
    assert list(snapshot.services) == ["nginx.services.haystack"]
    assert {p.subject for _, p in snapshot.problems} == {"s", "service name"}


def test_since_is_that_of_the_last_change():
    first = built(container(since=2.0), now=5.0)
    assert only(first).endpoints[0].since == 2.0
    same = built(container(since=2.0), previous=first, now=6.0)
    assert same.same_content(first)
    paused = built(container(since=2.0, state="paused"), previous=same, now=7.0)
    assert only(paused).endpoints[0].since == 7.0


def test_check_refuses_what_readers_could_not_bear():
    good = built(container())
    (name, service), (endpoint,) = next(iter(good.services.items())), only(good).endpoints
    for bad in (
        replace(service, endpoints=()),
        replace(service, endpoints=(endpoint, endpoint)),
        replace(service, endpoints=(replace(endpoint, container="?"),)),
        replace(service, endpoints=(replace(endpoint, address="here"),)),
        replace(service, endpoints=(replace(endpoint, port=0),)),
        replace(service, endpoints=(replace(endpoint, weight=-1),)),
        replace(service, endpoints=(replace(endpoint, target="a b"),)),
        replace(service, name="else"),
    ):
        with pytest.raises(SnapshotError):
            at_once(check(replace(good, services={name: bad})))


def test_engines_by_id():
    snapshot = build(1, "haystack", {"x": Listing(engine=Engine(id="E", name="n", host="h"))}, 1.0)
    assert snapshot.engines["E"].name == "n"


def test_who_loses_a_host_name_to_another_service_is_told():
    first = container(1, services=("a",), options=Options(hosts=("app.example",)))
    second = container(2, services=("b",), options=Options(hosts=("app.example",)))
    snapshot = built(second, first)
    ((about, problem),) = snapshot.problems
    assert (about, problem.subject) == ("b.services.haystack", "label haystack.host")
    assert problem.message == "app.example/ is served by a.services.haystack, which claims it too"
    assert snapshot.services["b.services.haystack"].problems == (problem,)
    assert snapshot.services["a.services.haystack"].problems == ()

"""Figures of exchanges: added up over workers and services, and gone some time after their endpoint."""

from haystack.loop.turns import at_once
from haystack.model.durations import SLOTS, quantile, slot_of
from haystack.model.services import Endpoint, Service
from haystack.model.snapshot import Change, Snapshot
from haystack.proxy.counters import GRACE, Place
from haystack.proxy.ipc import Counts
from haystack.proxy.traffic import CLASSES, METHODS, Now, Traffic

NAME, OTHER = "web.services.haystack", "shop.services.haystack"
A, B = "a" * 12 + ":80/tcp", "b" * 12 + ":80/tcp"
SLOT = slot_of(0.002)
OK = ((0, 0, 3, 0, 0, 0), 10, 200, 1, 6_000_000, (SLOT, 3))
BAD = ((1, 0, 0, 0, 0, 2), 0, 0, 0, 3_000_000, (SLOT, 3))
CELL = METHODS.index("GET") * len(CLASSES) + CLASSES.index("2xx")


def snapshot(version, services):
    def endpoint(identity):
        return Endpoint(
            id=identity, container=identity, container_name="c", target="t", address="10.0.0.1", port=80, protocol="tcp", port_name="http"
        )

    found = {name: Service(name=name, endpoints=tuple(map(endpoint, ids))) for name, ids in services.items()}
    change = Change(base=version - 1, services=frozenset({NAME, OTHER}))
    return Snapshot(version=version, created=0.0, origin="haystack", services=found, change=change)


class Fed(Traffic):
    def __init__(self, **services):
        super().__init__()
        self.version = 0
        self.show(services, 0.0)

    def show(self, services, now):
        self.version += 1
        at_once(self.follow(snapshot(self.version, services), now))


def test_an_endpoint_of_two_services_has_the_exchanges_of_both():
    traffic = Fed(**{NAME: [A], OTHER: [A]})
    traffic.put(NAME, A, OK, 1.0)
    traffic.put(OTHER, A, BAD, 1.0)
    assert {name: (f.requests, f.errors) for name, f in traffic.services.items()} == {NAME: (3, 0), OTHER: (3, 3)}
    figures = traffic.endpoints[A]
    assert (figures.requests, figures.errors, figures.received, figures.sent, figures.retries) == (6, 3, 10, 200, 1)
    assert round(figures.seconds, 9) == 0.009
    assert sum(figures.durations) == figures.durations[SLOT] == 6


def test_a_tunnel_is_a_request_without_a_duration():
    traffic = Fed(**{NAME: [A]})
    traffic.put(NAME, A, OK, 1.0)
    traffic.put(NAME, A, ((0, 2, 0, 0, 0, 0), 5, 5, 0, 0, ()), 1.0)
    figures = traffic.endpoints[A]
    assert (figures.requests, figures.timed, sum(figures.durations)) == (5, 3, 3)


def test_a_service_has_what_no_endpoint_had_too():
    traffic = Fed(**{NAME: [A]})
    traffic.put(NAME, A, OK, 1.0)
    traffic.put_service((NAME, BAD, (CELL, 3), 2, 1, 1500, 0), 1.0)
    figures = traffic.services[NAME]
    assert (figures.requests, figures.errors, figures.retries, figures.waits, figures.waited) == (6, 3, 2, 1, 1.5)
    assert figures.cells[CELL] == 3
    assert 0.0018 < quantile(figures.durations, 0.5) < 0.0021


def test_figures_leave_some_time_after_their_endpoint_and_those_of_the_service_stay():
    traffic = Fed(**{NAME: [A, B]})
    traffic.put(NAME, A, OK, 1.0)
    traffic.put(NAME, B, OK, 1.0)
    traffic.show({NAME: [B]}, 10.0)
    traffic.expire(10.0 + GRACE - 1)
    assert set(traffic.endpoints) == {A, B}
    traffic.expire(10.0 + GRACE)
    assert set(traffic.endpoints) == {B}
    assert traffic.services[NAME].requests == 6, "a counter never falls"


def test_an_endpoint_stays_while_one_of_its_services_has_it():
    traffic = Fed(**{NAME: [A], OTHER: [A]})
    traffic.put(NAME, A, OK, 1.0)
    traffic.put(OTHER, A, OK, 1.0)
    traffic.show({OTHER: [A]}, 2.0)
    traffic.expire(2.0 + GRACE)
    assert (set(traffic.services), set(traffic.endpoints)) == ({OTHER}, {A})


def test_one_that_is_back_in_time_goes_on_where_it_was():
    traffic = Fed(**{NAME: [A]})
    traffic.put(NAME, A, OK, 1.0)
    traffic.show({}, 2.0)
    traffic.show({NAME: [A]}, 3.0)
    traffic.expire(2.0 + 2 * GRACE)
    assert traffic.endpoints[A].requests == 3


def test_what_ends_after_all_have_left_does_not_stay():
    traffic = Fed()
    traffic.put(NAME, A, OK, 5.0)
    traffic.put_service((OTHER, BAD, (CELL, 3), 0, 0, 0, 0), 5.0)
    traffic.expire(5.0 + GRACE)
    assert (traffic.services, traffic.endpoints, traffic.take_recent()[0]) == ({}, {}, {NAME, OTHER})


def test_what_goes_on_is_the_sum_of_what_the_workers_tell_of_changes():
    traffic = Fed(**{NAME: [A]})
    members = {1: ((NAME, 80), Place(A, "10.0.0.1", 80))}
    for slot in (0, 1):
        counts = Counts(0, (), 0, (), 0, services=((NAME, None, (), 0, 0, 0, 2),), loads=((A, 3, 0),), ended=((1, OK),))
        traffic.take(slot, counts, members, 1.0)
    traffic.take(0, Counts(0, (), 0, (), 0, loads=((A, -2, 1),)), members, 2.0)
    assert (traffic.loads, traffic.waiting) == ({A: Now(4, 1)}, {NAME: 4})
    assert traffic.endpoints[A].requests == 6


def test_what_went_on_in_a_worker_that_died_goes_with_it():
    traffic = Fed(**{NAME: [A]})
    for slot in (0, 1):
        traffic.gauges.change(slot, [(A, 3, 1)], [(NAME, None, (), 0, 0, 0, 2)])
    traffic.gauges.forget(0)
    assert (traffic.loads, traffic.waiting) == ({A: Now(3, 1)}, {NAME: 2})
    traffic.gauges.forget(1)
    assert (traffic.loads, traffic.waiting) == ({}, {})


def test_what_is_recent_is_told_once():
    traffic = Fed(**{NAME: [A]})
    traffic.put(NAME, A, OK, 1.0)
    assert traffic.take_recent() == ({NAME}, {A: (OK,)})
    assert traffic.take_recent() == (set(), {})
    assert len(traffic.endpoints[A].durations) == SLOTS

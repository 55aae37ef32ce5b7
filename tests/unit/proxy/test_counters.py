from msgspec.structs import replace

from haystack.loop.turns import at_once
from haystack.model.services import Endpoint, Service
from haystack.model.snapshot import Change, Snapshot
from haystack.proxy.counters import GRACE, Place, Series
from haystack.views import shapes

NAME = "web.services.haystack"
ASKED = (NAME, 80)
OLD, NEW = Place("a" * 12 + ":80/tcp", "10.0.0.1", 80), Place("b" * 12 + ":80/tcp", "10.0.0.1", 80)


def snapshot(version, *places, change=True):
    endpoints = tuple(
        Endpoint(id=p.id, container=p.id, container_name=p.id, target="t", address=p.address, port=p.port, protocol="tcp", port_name="http")
        for p in places
    )
    services = {NAME: Service(name=NAME, endpoints=endpoints)} if places else {}
    changed = Change(base=version - 1, services=frozenset({NAME})) if change else None
    return Snapshot(version=version, created=0.0, origin="haystack", services=services, change=changed)


def test_an_address_that_another_container_has_begins_a_new_series():
    series = Series()
    at_once(series.follow(snapshot(1, OLD), 0.0))
    series.put(ASKED, OLD, 7, 0.0)
    at_once(series.follow(snapshot(2, NEW), 1.0))
    series.put(ASKED, NEW, 2, 1.0)
    assert series.counts[ASKED] == {OLD: 7, NEW: 2}
    assert shapes.requests(series.counts[ASKED]) == {"tcp://10.0.0.1:80": 2}


def test_a_container_that_gets_another_address_keeps_its_count():
    moved = replace(OLD, address="10.0.0.2")
    assert shapes.endpoint_requests({OLD: 7, moved: 2, NEW: 1}) == {OLD.id: 9, NEW.id: 1}


def test_a_series_leaves_some_time_after_its_endpoint():
    series = Series()
    at_once(series.follow(snapshot(1, OLD, NEW), 0.0))
    series.put(ASKED, OLD, 7, 0.0)
    series.put(ASKED, NEW, 1, 0.0)
    at_once(series.follow(snapshot(2, NEW), 10.0))
    series.expire(10.0 + GRACE - 1)
    assert OLD in series.counts[ASKED]
    series.expire(10.0 + GRACE)
    assert series.counts[ASKED] == {NEW: 1}


def test_the_last_one_takes_its_service_with_it():
    series = Series()
    at_once(series.follow(snapshot(1, OLD), 0.0))
    series.put(ASKED, OLD, 7, 0.0)
    at_once(series.follow(snapshot(2), 1.0))
    series.expire(1.0 + GRACE)
    assert series.counts == {}


def test_one_that_is_back_in_time_goes_on_where_it_was():
    series = Series()
    at_once(series.follow(snapshot(1, OLD), 0.0))
    series.put(ASKED, OLD, 7, 0.0)
    at_once(series.follow(snapshot(2), 1.0))
    at_once(series.follow(snapshot(3, OLD), 2.0))
    series.expire(2.0 + 2 * GRACE)
    series.put(ASKED, OLD, 1, 300.0)
    assert series.counts[ASKED] == {OLD: 8}


def test_a_request_that_ends_after_its_series_has_left_does_not_make_it_stay():
    series = Series()
    at_once(series.follow(snapshot(1, NEW), 0.0))
    series.put(ASKED, OLD, 1, 5.0)
    series.expire(5.0 + GRACE)
    assert series.counts == {}


def test_a_snapshot_of_which_nothing_is_known_is_looked_at_whole():
    series = Series()
    at_once(series.follow(snapshot(1, OLD), 0.0))
    series.put(ASKED, OLD, 1, 0.0)
    at_once(series.follow(snapshot(7, NEW, change=False), 1.0))
    series.expire(1.0 + GRACE)
    assert series.counts == {}

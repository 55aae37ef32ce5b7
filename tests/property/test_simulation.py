"""Whatever its endpoints go through, in whatever order: picker, ejection and retry budget together keep a service serving.

One story a seed, minutes of it in simulated time (tests/fakes/world.py). What is promised is in docs/health.md and docs/nothing-lost.md.
"""

import math

import pytest
import structlog
from hypothesis import example, given, settings
from hypothesis import strategies as st

from haystack._fast.balance.pickers import PICKERS
from tests.fakes.few_clients import FewClients
from tests.fakes.world import KINDS, LIMIT, NAME, QUEUE_MS, Spell, World

SECONDS = 35.0
CALM = 10.0  # at the end nobody has a bad time any more, nor is anybody out
PATIENCE = {"ewma": 90.0}  # more seconds before that: its averages fade over tens of seconds, also those of failures
FIRST, LONGEST = 5.0, 300.0  # seconds of ejection
SHARE, FLOOR, FREE = 0.2, 10.0, 200.0  # of requests may be repeated; so many a second in any case; at the beginning
NOTICED = 1.5  # seconds after which a sick endpoint is known to be, when it is asked often
EASY = 0.5  # of its share of the requests is what a well one gets at least


@pytest.fixture(autouse=True)
def nobody_reads_the_log():
    with structlog.testing.capture_logs():
        yield


def ejected(endpoint):
    return endpoint.reason.startswith("ejected")


@st.composite
def stories(draw):
    """Weights, and one bad time at most for each endpoint, over early enough to be forgotten."""
    weights = draw(st.lists(st.sampled_from([50, 100, 100, 200]), min_size=2, max_size=6))
    spells = []
    for endpoint in range(len(weights)):
        manner = draw(st.sampled_from(["", "", "slow", *KINDS]))
        start, length = draw(st.integers(2, 6)), draw(st.integers(1, 6))
        if manner:
            spells.append(Spell(endpoint, manner, float(start), float(start + length)))
    return weights, spells


REFUSING_ALONE_HAS_ROOM = (
    [100, 100, 100, 100, 200, 200],
    [
        Spell(0, "silent", 2.0, 5.0),
        Spell(1, "resetting", 3.0, 8.0),
        Spell(2, "slow", 3.0, 5.0),
        Spell(3, "resetting", 2.0, 6.0),
        Spell(4, "refusing", 5.0, 9.0),
    ],
)


@pytest.mark.timeout(240)  # a failing story is told over and over, to find the shortest
@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(sorted(PICKERS)), stories(), st.integers(60, 100))
def test_a_service_serves_whatever_its_endpoints_go_through(seed, balance, story, rate):
    weights, spells = story
    world = World(seed, balance, weights, spells, float(rate))
    try:
        world.run(SECONDS + PATIENCE.get(balance, 0.0))
        half_stays_in(world)
        retries_stay_within_their_budget(world)
        the_well_are_in_and_have_their_share(world)
        the_sick_are_left_alone(world)
        all_come_back(world)
        nothing_is_left(world)
    finally:
        world.close()


@pytest.mark.timeout(240)
@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(sorted(PICKERS)), stories(), st.integers(1, 3), st.integers(60, 120))
@example(11508, "random", REFUSING_ALONE_HAS_ROOM, 1, 120)
def test_no_request_is_lost_and_none_is_sent_to_a_full_endpoint(seed, balance, story, most, rate):
    """Whether there is room, and whoever leaves the queue: by its turn, by its time, or because the table has changed."""
    weights, spells = story
    world = World(seed, balance, weights, spells, float(rate), most=most)
    try:
        world.run(20.0)
        assert sum(w.asked for w in world.workers) == sum(w.done for w in world.workers) + len(world.failed)
        assert max(w.crowd for w in world.workers) <= most
        assert not any(w.pending or w.waiting for w in world.workers)
        half_stays_in(world)
        retries_stay_within_their_budget(world)
        nothing_is_left(world)
    finally:
        world.close()


def test_bursts_wait_for_room_and_all_are_answered():
    """Three endpoints that take two requests at once from each worker, asked for three quarters of what they can do."""
    world = World(5, "p2c", [100] * 3, [], 2200.0, most=2)
    try:
        world.run(10.0)
        assert world.failed == []
        assert all(worker.queued > 100 for worker in world.workers)
        assert [worker.crowd for worker in world.workers] == [2] * len(world.workers)
    finally:
        world.close()


def test_where_room_comes_late_requests_give_up_after_their_time():
    """All endpoints are slow for longer than anybody waits: the queue is left, whole, and nobody is ejected for being slow."""
    world = World(6, "p2c", [100] * 3, [Spell(number, "slow", 2.0, 6.0) for number in range(3)], 400.0, most=1)
    try:
        world.run(12.0)
        assert len(world.failed) > 100
        assert all(2.0 + QUEUE_MS / 1000 <= at < 6.0 + 2 * QUEUE_MS / 1000 for at in world.failed)
        assert all(e.ready for _, snapshot in world.seen for e in snapshot.services[NAME].endpoints)
        nothing_is_left(world)
    finally:
        world.close()


def test_what_an_endpoint_fails_at_is_answered_by_another():
    """Until it is ejected, and when it is asked now and then: the budget is far from used."""
    world = World(3, "p2c", [100] * 4, [Spell(1, "failing", 4.0, 12.0)], 200.0)
    try:
        world.run(20.0)
        assert world.failed == []
        assert sum(worker.repeated for worker in world.workers) > 0
    finally:
        world.close()


def half_stays_in(world):
    """Never more than half is out for what its traffic showed; when all should be, the rest stays in and says so."""
    for at, snapshot in world.seen:
        service = snapshot.services[NAME]
        out = [e for e in service.endpoints if not e.ready]
        assert sum(ejected(e) for e in out) <= len(service.endpoints) // 2, at
        assert any(e.ready or e.awaited for e in service.endpoints), at
        if all(ejected(e) for e in service.endpoints):
            spared = [e for e in service.endpoints if e.ready]
            assert spared, at
            assert all("but still in" in e.reason for e in spared), at
            assert service.problems, at


def retries_stay_within_their_budget(world):
    for worker in world.workers:
        assert worker.repeated <= SHARE * worker.asked + FLOOR * world.now + FREE


def least(share):
    """What chance leaves of a share in any case: who draws seldom may have bad luck."""
    return EASY * share - 2 * math.sqrt(share)


def sick(world):
    return [spell for spell in world.spells if spell.manner in KINDS]


def the_well_are_in_and_have_their_share(world):
    """Who does not fail is never out, and gets what its weight says of all that is asked for, but for what chance does."""
    troubled = {spell.endpoint for spell in world.spells}
    for endpoint in set(range(len(world.weights))) - {spell.endpoint for spell in sick(world)}:
        for at, snapshot in world.seen:
            assert by_number(snapshot, endpoint).ready, (at, by_number(snapshot, endpoint).reason)
    for endpoint in set(range(len(world.weights))) - troubled:
        share = world.weights[endpoint] / sum(world.weights) * sum(w.asked for w in world.workers)
        assert sum(t.endpoint == endpoint for t in world.tries) >= least(share)


def the_sick_are_left_alone(world):
    """Out within NOTICED seconds, and for as long as it lasts asked again only now and then; where no more than half is sick."""
    if len({spell.endpoint for spell in sick(world)}) > len(world.weights) // 2:
        return
    for spell in sick(world):
        noticed = spell.start + NOTICED + (LIMIT if spell.manner == "silent" else 0)
        asked = [t for t in world.tries if t.endpoint == spell.endpoint and spell.start <= t.at < spell.end]
        if sum(t.at < noticed for t in asked) < 20:
            continue  # so little was asked of it that nobody could tell
        late = [t for t in asked if t.at >= noticed]
        share = world.weights[spell.endpoint] / sum(world.weights) * world.rate * max(0.0, spell.end - noticed)
        assert len(late) <= 0.25 * share + 10, (spell, len(late), share)


def all_come_back(world):
    """Ejections last as long as what went before, and no longer: so is the way back."""
    for spell in sick(world):
        due = spell.end + max(FIRST, spell.end - spell.start + FIRST) + LIMIT + 1
        for at, snapshot in world.seen:
            if at > due:
                assert by_number(snapshot, spell.endpoint).ready, (at, spell, by_number(snapshot, spell.endpoint).reason)
    last = world.seen[-1][1].services[NAME]
    assert [e.reason for e in last.endpoints] == ["running"] * len(world.weights)
    since = world.end - CALM
    calm = [t for t in world.tries if t.at >= since]
    for endpoint, weight in enumerate(world.weights):
        share = weight / sum(world.weights) * len(calm)
        assert sum(t.endpoint == endpoint for t in calm) >= least(share), (endpoint, share)
    assert not any(at >= since for at in world.failed)


def nothing_is_left(world):
    """Nothing in flight, nobody remembered once the containers have gone."""
    for worker in world.workers:
        assert all(member.endpoint.in_flight == 0 for member in worker.route.members)
        assert len(worker.route.queue) == 0
    world.rest(LONGEST)
    world.empty()
    world.rest(1000.0)  # who was silent as it left may come back for ten minutes
    monitor = world.monitor
    assert (monitor._lives, monitor.ejections._histories, monitor.ejections._out) == ({}, {}, {})
    for worker in world.workers:
        worker.tick()
        for _ in range(2):  # endpoints stay for one time more
            worker.routes.forget_drained()
        routes = worker.routes
        assert (routes._members, routes._endpoints, routes._leaving, routes._draining) == ({}, {}, {}, {})


def by_number(snapshot, endpoint):
    return next(e for e in snapshot.services[NAME].endpoints if e.container_name == f"n{endpoint}")


def sick_as_a_whole(manner):
    return World(1, "p2c", [100] * 3, [Spell(endpoint, manner, 0.0, 20.0) for endpoint in range(3)], 400.0)


def test_a_service_that_breaks_off_as_a_whole_is_not_buried_under_its_own_requests():
    """The budget is what does it: it has refused, and what it allows has been used."""
    world = sick_as_a_whole("resetting")
    try:
        world.run(20.0)
        half_stays_in(world)
        retries_stay_within_their_budget(world)
        for worker in world.workers:
            assert worker.denied > 1000
            assert worker.repeated > 0.9 * (SHARE * worker.asked + FREE)
    finally:
        world.close()


def test_where_no_endpoint_answers_nothing_is_sent_again():
    """An endpoint is silent only in comparison with endpoints that answer: the service may simply be slow."""
    world = sick_as_a_whole("silent")
    try:
        world.run(20.0)
        half_stays_in(world)
        assert sum(worker.asked for worker in world.workers) > 1000
        assert [worker.repeated for worker in world.workers] == [0] * len(world.workers)
    finally:
        world.close()


def test_a_silent_endpoint_is_found_and_its_requests_go_elsewhere():
    """No request fails: each is moved before its time is up."""
    world = World(3, "p2c", [100] * 4, [Spell(1, "silent", 4.0, 12.0)], 200.0, limit=6.0)
    try:
        world.run(20.0)
        assert world.failed == []
        assert sum(worker.repeated for worker in world.workers) > 0
        asked = [t for t in world.tries if t.endpoint == 1 and 5.0 <= t.at < 12.0]
        assert len(asked) < 60
    finally:
        world.close()


@pytest.mark.parametrize("clients", [(1, 0), (2, 0), (3, 0), (4, 0), (1, 1), (2, 1)], ids=str)
def test_few_clients_are_answered_though_all_of_them_may_wait_at_the_silent_endpoint(clients):
    """Nobody else asks, so nobody's answer shows that it is silent: one request after another had an error, each after its whole time."""
    for seed in range(4):
        world = FewClients(seed, clients, [Spell(0, "silent", 2.0, 60.0)], limit=6.0)
        try:
            world.run(9.0)
            assert world.failed == []
            assert max(seconds for seconds, _ in world.waited) < 1.7
            assert sum(seconds > 0.9 for seconds, _ in world.waited) <= 2 * sum(clients)
            assert any(ejected(by_number(snapshot, 0)) for _, snapshot in world.seen)
        finally:
            world.close()


@pytest.mark.parametrize("clients", [(1, 0), (2, 0), (3, 0), (1, 1)], ids=str)
@pytest.mark.parametrize("seconds", [1.2, 3.0, 10.0])
def test_where_few_clients_ask_for_what_is_slow_it_is_soon_sent_once(clients, seconds):
    """It is as slow elsewhere: that ejects nobody, and each one in vain doubles the time until the next one is moved."""
    for seed in range(2):
        world = FewClients(seed, clients, [], limit=60.0, slow=(seconds, 40))
        try:
            world.run(120.0)
            assert world.failed == []
            assert all(e.ready for _, snapshot in world.seen for e in snapshot.services[NAME].endpoints)
            assert len(world.moved) > 8
            assert sum(world.moved) <= 6 * len([each for each in clients if each])
        finally:
            world.close()


def test_the_same_seed_tells_the_same_story():
    told = []
    for _ in range(2):
        world = World(7, "p2c", [100, 100, 200], [Spell(1, "failing", 2.0, 5.0)], 200.0)
        try:
            world.run(10.0)
            told.append(world.tries)
        finally:
            world.close()
    assert told[0] == told[1]

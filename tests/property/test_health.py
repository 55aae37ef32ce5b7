"""Whatever the endpoints of a service go through: nobody who could serve is missed for long, nobody sick is kept, half stays in.

A seeded simulation: traffic picks among those that the policy has in, the sick ones fail, and each tick's reports eject.
"""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from haystack.health.outliers import LONGEST, History, hear
from haystack.health.policy import WELL, Condition, judge
from haystack.loop.turns import at_once
from haystack.model.records import Container, Options
from haystack.model.reports import FailureRow

TICK, A_TICK = 0.1, 40  # seconds, requests
STATES = st.sampled_from(["running", "paused", "stopping"])
CONDITIONS = st.sampled_from(
    [
        WELL,
        Condition(waiting="port 80 does not accept"),
        Condition(waiting="port 80 does not accept", overdue=True),
        Condition(failing="probe: 503"),
        Condition(unreachable="no way"),
        *(Condition(ejected="5 resets in a row", ejected_at=at, until=9.0) for at in (1.0, 2.0, 3.0)),
    ]
)


def container(number=1, state="running", policy=None, health="none"):
    return Container(id=f"{number:064x}", name="c", engine="e", state=state, health=health, options=Options(health_policy=policy))


@settings(max_examples=500)
@given(st.lists(st.tuples(STATES, CONDITIONS, st.sampled_from(["none", "starting", "unhealthy", "healthy"])), max_size=12))
def test_a_service_with_anybody_there_is_never_hidden(drawn):
    members = [(container(n, state, health=health), condition) for n, (state, condition, health) in enumerate(drawn)]
    verdicts = at_once(judge(members))
    running = [v for (c, _), v in zip(members, verdicts, strict=True) if c.state == "running"]
    assert not any(v.ready for (c, _), v in zip(members, verdicts, strict=True) if c.state != "running")
    assert any(v.ready or v.awaited or v.unreachable for v in running) == bool(running)
    assert not any(v.ready for (_, condition), v in zip(members, verdicts, strict=True) if condition.unreachable)
    assert not (any(v.ready for v in verdicts) and any(v.unreachable for v in verdicts))
    assert not (any(v.ready for v in verdicts) and any(v.awaited for v in verdicts))
    assert all(v.reason for v in verdicts)
    ejected = [v for v in verdicts if v.reason.startswith("ejected")]
    out = sum(not v.ready for v in ejected)
    assert out <= (len(ejected) + sum(v.ready and v.reason == "running" for v in verdicts)) // 2


class Simulation:
    """A service of endpoints of which some fail some of their requests."""

    def __init__(self, seed, size):
        self.random = random.Random(seed)
        self.histories = [History() for _ in range(size)]
        self.now = 0.0

    def verdicts(self):
        return at_once(
            judge(
                [
                    (container(n), Condition(ejected=h.why, ejected_at=h.since, until=h.until) if h.ejected(self.now) else WELL)
                    for n, h in enumerate(self.histories)
                ]
            )
        )

    def tick(self, sick):
        """One tick's traffic; sick: endpoint → share of requests that fail. How many failed."""
        ready = [n for n, v in enumerate(self.verdicts()) if v.ready]
        done = {}
        for _ in range(A_TICK):
            n = self.random.choice(ready)
            requests, failed, streak = done.get(n, (0, 0, self.histories[n].streak))
            bad = self.random.random() < sick.get(n, 0.0)
            done[n] = requests + 1, failed + bad, streak + 1 if bad else 0
        whole, bad = (sum(each[column] for each in done.values()) for column in (0, 1))
        for n, (requests, failed, streak) in done.items():
            if failed or self.histories[n].streak:
                beside = {"ended": requests, "faulty": failed, "others": whole - requests, "others_faulty": bad - failed}
                self.histories[n] = hear(
                    self.histories[n], FailureRow(str(n), "s", requests, errors=failed, streak=streak, **beside), self.now
                )
        self.now += TICK
        return sum(failed for _, failed, _ in done.values())


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(2, 9), st.data())
def test_the_sick_leave_within_a_second_never_more_than_half_and_the_well_come_back(seed, size, data):
    simulation = Simulation(seed, size)
    sick = dict.fromkeys(data.draw(st.sets(st.integers(0, size - 1), max_size=size)), 1.0)
    for number in range(60):
        failed = simulation.tick(sick)
        verdicts = simulation.verdicts()
        assert sum(not v.ready for v in verdicts) <= size // 2
        if number >= 10 and len(sick) <= size // 2 and number < 50:
            # each sick one may fail once more when its first five seconds are over
            assert failed == 0
    assert all(not h.ejected(simulation.now) for n, h in enumerate(simulation.histories) if n not in sick)
    simulation.now += LONGEST
    assert all(v.ready and v.reason == "running" for v in simulation.verdicts())
    for _ in range(50):
        simulation.tick({})
        assert all(v.ready for v in simulation.verdicts())


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 9))
def test_what_fails_now_and_then_stays(seed, size):
    simulation = Simulation(seed, size)
    for _ in range(100):
        simulation.tick(dict.fromkeys(range(size), 0.02))
    assert sum(h.times for h in simulation.histories) == 0

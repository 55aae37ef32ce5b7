"""Whose fault failures are: a service whose clients ask for much that fails everywhere, with sick endpoints or without, from many workers.

A seeded simulation of what workers count (worker_state.pyx: a row about each cell that has failed, a comparison that begins with a fault
and is told with each row) and of requests that are asked for once more elsewhere. The verdicts are those of the control process.
"""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haystack.health.outliers import History, hear
from haystack.model.reports import FailureRow

TICK = 0.1
COMPARED = 10.0


class Cell:
    """One endpoint as one worker sees it."""

    def __init__(self):
        self.ended = self.errors = self.streak = 0
        self.listed = self.told_bad = False
        self.own = [0, 0]  # exchanges and faults so far
        self.before, self.compared_at = None, 0.0

    def fault(self, now, service):
        self.tell()
        self.own = [self.own[0] + 1, self.own[1] + 1]
        service[0], service[1] = service[0] + 1, service[1] + 1
        self.ended, self.errors, self.streak = self.ended + 1, self.errors + 1, self.streak + 1
        if self.before is None or now - self.compared_at > COMPARED:
            self.compare(now, service)

    def fine(self, service):
        self.own[0] += 1
        service[0] += 1
        self.ended += 1
        if self.streak:
            self.streak = 0
            if self.told_bad:
                self.tell()

    def tell(self):
        if not self.listed:
            self.listed = True
            if not self.told_bad:
                self.ended = min(self.ended, 10)

    def compare(self, now, service):
        self.before, self.compared_at = (*self.own, *service), now

    def row(self, number, now, service):
        ended, faulty = self.own[0] - self.before[0], self.own[1] - self.before[1]
        others, others_faulty = service[0] - self.before[2] - ended, service[1] - self.before[3] - faulty
        row = FailureRow(
            str(number), "s", self.ended, errors=self.errors, streak=self.streak,
            ended=ended, faulty=faulty, others=others, others_faulty=others_faulty,
        )  # fmt: skip
        self.compare(now, service)
        self.ended = self.errors = 0
        self.listed, self.told_bad = False, self.streak > 0
        return row


class Service:
    """bad: the part of requests that fails everywhere; burst: how many of these come in a row; repeated: whether they are sent twice."""

    def __init__(self, seed, *, size=4, workers=4, a_tick=40, bad=0.3, burst=1, repeated=True, sick=()):
        self.random = random.Random(seed)
        self.size, self.a_tick, self.repeated, self.sick = size, a_tick, repeated, sick
        self.bad, self.burst, self.coming = bad / burst, burst, 0
        self.histories = [History() for _ in range(size)]
        self.workers = [([0, 0], [Cell() for _ in range(size)]) for _ in range(workers)]
        self.now, self.ejected = 0.0, []

    def fails(self):
        if self.coming == 0 and self.random.random() < self.bad:
            self.coming = self.burst
        self.coming = max(0, self.coming - 1) if (found := self.coming > 0) else 0
        return found

    def tick(self):
        into = [n for n in range(self.size) if not self.histories[n].ejected(self.now)]
        for _ in range(self.a_tick):
            service, cells = self.random.choice(self.workers)
            bad = self.fails()
            for n in self.random.sample(into, min(len(into), 1 + self.repeated)):
                if bad or n in self.sick:
                    cells[n].fault(self.now, service)
                else:
                    cells[n].fine(service)
                    break
        for service, cells in self.workers:
            for n, cell in enumerate(cells):
                if cell.listed:
                    self.hear(n, cell.row(n, self.now, service))
        self.now += TICK

    def hear(self, n, row):
        new = hear(self.histories[n], row, self.now)
        if new.until > self.histories[n].until:
            self.ejected.append((n, self.now))
        self.histories[n] = new

    def run(self, seconds):
        for _ in range(round(seconds / TICK)):
            self.tick()
        return self.ejected


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 2**32),
    st.integers(2, 6),
    st.sampled_from([1, 2, 4, 8]),
    st.sampled_from([2, 4, 10, 40]),
    st.sampled_from([0.02, 0.1, 0.3, 0.6, 0.9, 1.0]),
    st.sampled_from([1, 5, 20]),
    st.booleans(),
    st.booleans(),
)
def test_what_fails_everywhere_ejects_nobody_and_nobody_beside_one_that_is_sick(seed, size, workers, a_tick, bad, burst, repeated, sick):
    service = Service(seed, size=size, workers=workers, a_tick=a_tick, bad=bad, burst=burst, repeated=repeated, sick={0} if sick else set())
    assert [n for n, _ in service.run(5) if not (sick and n == 0)] == []


@pytest.mark.parametrize("a_tick", [4, 20])
@pytest.mark.parametrize("repeated", [True, False])
def test_a_healthy_endpoint_stays_through_minutes_of_requests_that_fail_in_three_of_ten_cases(repeated, a_tick):
    """Four workers, four endpoints, one of them sick: after some minutes of this a healthy one was ejected."""
    told = [Service(seed, a_tick=a_tick, repeated=repeated, sick={0}).run(20) for seed in range(60 // a_tick)]
    assert [n for each in told for n, _ in each if n != 0] == []


@pytest.mark.parametrize(("bad", "soon"), [(0.0, 0.5), (0.1, 1.0), (0.3, 2.0)])
@pytest.mark.parametrize("size", [2, 4, 8])
def test_one_that_is_sick_leaves_soon_all_the_same(size, bad, soon):
    for seed in range(4):
        first = next(iter(Service(seed, size=size, bad=bad, sick={0}).run(2.1)))
        assert first[0] == 0
        assert first[1] <= soon

"""Whose fault failures are: a service whose clients ask for much that fails everywhere, with sick endpoints or without, from many workers.

Each worker counts and tells as a real one does; requests that fail may be asked for once more elsewhere. The verdicts are those of the
control process.
"""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haystack._fast.endpoint.endpoint import Route
from haystack._fast.exchange.testing import Reports
from haystack.health.outliers import History, hear
from haystack.model.reports import FailureRow
from haystack.model.service_options import ServiceOptions
from tests.fakes.members import members, picker

TICK = 0.1


class Worker:
    """What one counts."""

    def __init__(self, size):
        self.members = members(size)
        self.queue = Route("web", picker("p2c", *[100] * size, of=self.members), ServiceOptions()).queue
        self.reports = Reports()

    def asked(self, n, now, *, fails):
        if fails:
            self.reports.fault(self.members[n], self.queue, "error", now)
        else:
            self.reports.fine(self.members[n], self.queue)


class Service:
    """bad: the part of requests that fails everywhere; burst: how many of these come in a row; repeated: whether they are sent twice."""

    def __init__(self, seed, *, size=4, workers=4, a_tick=40, bad=0.3, burst=1, repeated=True, sick=()):
        self.random = random.Random(seed)
        self.size, self.a_tick, self.repeated, self.sick = size, a_tick, repeated, sick
        self.bad, self.burst, self.coming = bad / burst, burst, 0
        self.histories = [History() for _ in range(size)]
        self.workers = [Worker(size) for _ in range(workers)]
        self.numbers = {m.endpoint.key: n for n, m in enumerate(self.workers[0].members)}
        self.now, self.ejected = 0.0, []

    def fails(self):
        if self.coming == 0 and self.random.random() < self.bad:
            self.coming = self.burst
        self.coming = max(0, self.coming - 1) if (found := self.coming > 0) else 0
        return found

    def tick(self):
        into = [n for n in range(self.size) if not self.histories[n].ejected(self.now)]
        for _ in range(self.a_tick):
            worker = self.random.choice(self.workers)
            bad = self.fails()
            for n in self.random.sample(into, min(len(into), 1 + self.repeated)):
                worker.asked(n, self.ms, fails=bad or n in self.sick)
                if not bad and n not in self.sick:
                    break
        for worker in self.workers:
            for row in worker.reports.take(self.ms):
                self.hear(self.numbers[row[0]], FailureRow(*row))
        self.now += TICK

    @property
    def ms(self):
        return 1000 + round(self.now * 1000)

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

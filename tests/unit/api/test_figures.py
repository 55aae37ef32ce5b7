"""What is told of a second: only of those that have something, and of thousands some at a time."""

import json

import pytest

from haystack.api import figures
from haystack.api.figures import SecondFigures
from haystack.loop.turns import at_once
from tests.fakes.browser import MadeUp, Now, Rate


@pytest.fixture
def made():
    return MadeUp()


def told(of, second):
    data = at_once(of.take(second))
    return json.loads(data) if data else None


def test_where_all_are_idle_nothing_is_told(made):
    assert told(SecondFigures(made, made), 1) is None


def test_services_are_told_each_second_and_endpoints_when_they_change(made):
    of = SecondFigures(made, made)
    made.of_services["web"] = Rate(10.0, 1.0, 0.0234)
    made.of_endpoints["a"] = Rate(10.0, 1.0, 0.0234)
    made.loads["a"] = Now(3)
    made.waiting["web"] = 2
    first = told(of, 1)
    assert first == {"second": 1, "services": {"web": [10.0, 1.0, 23.4, 2]}, "endpoints": {"a": [10.0, 1.0, 23.4, 3]}}
    assert told(of, 2) == {**first, "second": 2, "endpoints": {}}
    made.loads.clear()
    made.of_endpoints.clear()
    assert told(of, 3)["endpoints"] == {"a": [0, 0, 0, 0]}
    made.of_services.clear()
    assert told(of, 4)["services"] == {"web": [0, 0, 0, 2]}
    made.waiting.clear()
    assert told(of, 5) is None


def test_of_thousands_each_is_told_in_its_turn(made, monkeypatch):
    monkeypatch.setattr(figures, "MANY", 100)
    of = SecondFigures(made, made)
    made.of_endpoints.update({f"{n:012x}:80/tcp": Rate(1.0, 0.0, 0.1) for n in range(1000)})
    seconds = [told(of, second)["endpoints"] for second in range(10)]
    assert max(map(len, seconds)) < 200
    assert {identity for each in seconds for identity in each} == made.of_endpoints.keys()
    assert json.loads(of.now())["endpoints"].keys() == made.of_endpoints.keys()


def test_what_was_before_is_told_of_those_that_had_something(made):
    made.histories = {"web": ([1.0, 2.0], [0.0, 1.0], [0.5, 0.0123]), "idle": ([0.0], [0.0], [0.0])}
    assert [json.loads(each) for each in SecondFigures(made, made).before(9, ["web", "idle", "none"])] == [
        ["web", 9, [1, 2], [0, 1], [500.0, 12.3]]
    ]

"""Which containers are asked about after their end, and how many."""

from types import SimpleNamespace

from haystack.discovery.docker.departures import MOST
from haystack.discovery.docker.exit_details import ExitDetails


def test_of_thousands_that_end_at_once_only_those_are_asked_about_whose_departures_are_kept():
    asked = []
    asking = SimpleNamespace(ask=lambda question, take: asked.append((question.args[0], take)))
    exit_details = ExitDetails(None, None, asking, 1.0, 0.0, None, None)
    for number in range(10_000):
        exit_details.want(f"c{number}")
    while exit_details.wake() < float("inf"):
        exit_details.begin()
        asked[-1][1](None)
    assert [identity for identity, _ in asked] == [f"c{number}" for number in range(10_000 - MOST, 10_000)]


def test_one_that_ends_again_is_asked_about_in_its_new_turn():
    asked = []
    asking = SimpleNamespace(ask=lambda question, take: asked.append((question.args[0], take)))
    exit_details = ExitDetails(None, None, asking, 1.0, 0.0, None, None)
    for identity in ("a", "b", "a"):
        exit_details.want(identity)
    while exit_details.wake() < float("inf"):
        exit_details.begin()
        asked[-1][1](None)
    assert [identity for identity, _ in asked] == ["b", "a"]

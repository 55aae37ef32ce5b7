"""Reasons with their times."""

import pytest
from msgspec.structs import replace

from haystack.model.reasons import cause, span, why
from haystack.model.services import Cause, Override
from tests.fakes.state import ENDPOINT


def test_one_that_is_in_tells_its_reason_alone():
    assert why(replace(ENDPOINT, since=1.0), 9.0) == "running"


def test_one_that_is_out_tells_since_when_and_until_when():
    out = replace(ENDPOINT, ready=False, reason="draining: kill SIGTERM", cause=Cause.STOPPING, since=100.0)
    assert why(out, 102.1) == "draining: kill SIGTERM 2.1 s ago"
    assert why(out, 99.0) == "draining: kill SIGTERM 0.0 s ago"
    ejected = replace(out, reason="ejected: 5 failures in a row (5 reset)", cause=Cause.EJECTED, until=105.0)
    assert why(ejected, 102.0) == "ejected: 5 failures in a row (5 reset) 2.0 s ago, back in 3.0 s"


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("draining: kill SIGTERM", "killed with SIGTERM"),
        ("draining: its task is to shut down", "its task is to shut down"),
    ],
)
def test_who_told_it_to_stop(reason, told):
    assert cause(replace(ENDPOINT, ready=False, reason=reason, cause=Cause.STOPPING)) == told


def test_a_state_that_lasts_is_told_with_its_length():
    out = replace(ENDPOINT, ready=False, reason="port 80 does not accept", cause=Cause.BROKEN, since=100.0)
    assert why(out, 131.3) == "port 80 does not accept (for 31.3 s)"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (59.9, "59.9 s"),
        (90, "1.5 min"),
        (7200, "2 h"),
        (1e6, "11.6 d"),
        (600, "10 min"),
        (3599.99, "1 h"),
        (3590, "59.8 min"),
        (59.97, "1 min"),
        (86_399, "1 d"),
    ],
)
def test_spans(seconds, text):
    assert span(seconds) == text


def override(**fields):
    return Override(**{"scope": "endpoint", "target": "x", "name": "web:80", "by": "ann", "at": 1.0, **fields})


def test_all_that_operators_decided_is_told_beside_the_reason():
    weight = override(weight=7, why="canary", until=1_800_000_000.0)
    told = "weight 7 by ann: canary, until 2027-01-15 08:00:00Z"
    assert why(replace(ENDPOINT, overrides=(weight,)), 9.0) == f"running; {told}"
    drain, whole = override(why="new disk"), override(scope="service", name="nginx.services.haystack", by="bob")
    drained = replace(ENDPOINT, ready=False, cause=Cause.DRAINED, reason="drained by ann: new disk", overrides=(drain, whole, weight))
    assert why(drained, 9.0) == f"drained by ann: new disk; maintenance of nginx.services.haystack by bob; {told}"
    gone = replace(drained, cause=Cause.GONE, reason="died", overrides=(drain,))
    assert why(gone, 9.0) == "died; drain of web:80 by ann: new disk"

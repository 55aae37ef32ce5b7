"""Reasons with their times."""

import pytest
from msgspec.structs import replace

from haystack.model.reasons import span, why
from haystack.model.services import Cause
from tests.fakes.state import ENDPOINT


def test_one_that_is_in_tells_its_reason_alone():
    assert why(replace(ENDPOINT, since=1.0), 9.0) == "running"


def test_one_that_is_out_tells_since_when_and_until_when():
    out = replace(ENDPOINT, ready=False, reason="draining: kill SIGTERM", cause=Cause.STOPPING, since=100.0)
    assert why(out, 102.1) == "draining: kill SIGTERM 2.1 s ago"
    assert why(out, 99.0) == "draining: kill SIGTERM 0.0 s ago"
    ejected = replace(out, reason="ejected: 5 failures in a row (5 reset)", cause=Cause.EJECTED, until=105.0)
    assert why(ejected, 102.0) == "ejected: 5 failures in a row (5 reset) 2.0 s ago, back in 3.0 s"


def test_a_state_that_lasts_is_told_with_its_length():
    out = replace(ENDPOINT, ready=False, reason="port 80 does not accept", cause=Cause.BROKEN, since=100.0)
    assert why(out, 131.3) == "port 80 does not accept (for 31.3 s)"


@pytest.mark.parametrize(("seconds", "text"), [(0.04, "0.0 s"), (59.9, "59.9 s"), (90, "1.5 min"), (7200, "2.0 h"), (1e6, "11.6 d")])
def test_spans(seconds, text):
    assert span(seconds) == text

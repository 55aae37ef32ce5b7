"""When a stream that has brought nothing is at its end, without an engine."""

from collections import deque
from types import SimpleNamespace

import pytest

from haystack.discovery.docker.silence import Silence, StreamEndedError
from haystack.discovery.docker.timing import Timing

TOLD = {"Type": "container", "Action": "start", "Actor": {"ID": "a"}, "timeNano": 5}


@pytest.fixture
def asked():
    """The questions."""
    return []


@pytest.fixture
def silence(asked):
    """The engine has told of an event that the stream has not brought, and all the time for it is over."""
    made = Silence(None, SimpleNamespace(ask=lambda *question: asked.append(question)), Timing(late=0.0), deque(), lambda: None)
    made._take([TOLD])
    return made


def test_an_event_that_does_not_come_ends_the_session(silence):
    with pytest.raises(StreamEndedError, match="fell silent"):
        silence.begin("0", more=False)


def test_what_has_come_and_was_not_looked_at_yet_may_be_that_event(silence, asked):
    """A machine that is busy may hold the watch up for longer than an event may be late. The engine is not asked once more meanwhile."""
    for _ in range(3):
        silence.begin("0", more=True)
    assert asked == []
    silence.end()
    silence.begin("0", more=False)

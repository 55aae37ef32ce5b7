"""A docker provider before a fake engine, and what it publishes."""

import pytest

from haystack.discovery.docker.provider import DockerProvider
from haystack.discovery.docker.timing import Timing
from tests.fakes.engine import FakeEngine
from tests.fakes.sink import FakeSink

FAST = Timing(shortest=0.01, longest=0.05, again=0.05, stopping=0.3, ping=0.2)


@pytest.fixture
def engine():
    with FakeEngine() as fake:
        yield fake


@pytest.fixture
def sink():
    return FakeSink()


def provider(engine, timing=FAST):
    return DockerProvider(engine.host, timing=timing)

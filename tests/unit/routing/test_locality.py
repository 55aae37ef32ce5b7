"""Own host first: weights of endpoints here and on other hosts, and requests that spill over where those here are full."""

import pytest

from haystack.loop.turns import at_once
from haystack.model.services import Cause, Endpoint, Service
from haystack.routing import locality
from haystack.routing.routing_table import made
from tests.fakes.usual import usual


def endpoint(number, remote=False, cause=Cause.WELL, weight=100, share=1.0, ready=None):
    return Endpoint(
        id=f"{number}:80/tcp", container=str(number) * 64, container_name=f"n{number}", target="t.containers.haystack",
        address=f"10.0.0.{number}", port=80, protocol="tcp", port_name="http", listener="http", weight=weight, share=share,
        ready=cause is Cause.WELL if ready is None else ready, cause=cause, remote=remote,
    )  # fmt: skip


HERE, AWAY = endpoint(1), endpoint(2, remote=True)
EJECTED = endpoint(3, cause=Cause.EJECTED)
SPARED = endpoint(4, cause=Cause.EJECTED, ready=True)  # in, for at most half of a service is out


@pytest.mark.parametrize(
    ("endpoints", "expected"),
    [
        ((HERE, AWAY), [100, 0]),
        ((AWAY, endpoint(4, remote=True)), [100, 100]),
        ((HERE, endpoint(3)), [100, 100]),
        ((endpoint(1, cause=Cause.EJECTED), AWAY), [100, 100]),
        ((HERE, EJECTED, AWAY), [100, 100, 43]),  # 1.4 of a half are 0.7: 30 % go away
        ((HERE, EJECTED, AWAY, endpoint(4, remote=True)), [100, 100, 21, 21]),
        ((HERE, endpoint(5), endpoint(6), EJECTED, AWAY), [100, 100, 100, 100, 0]),  # a fourth is within what can be spared
        ((HERE, endpoint(3, cause=Cause.STOPPING), AWAY), [100, 100, 0]),
        ((HERE, endpoint(3, cause=Cause.DRAINED), AWAY), [100, 100, 0]),
        ((HERE, endpoint(3, cause=Cause.WAITING), AWAY), [100, 100, 0]),
        ((endpoint(1, share=0.1), AWAY), [10, 61]),
        ((endpoint(1, weight=0), AWAY), [0, 100]),
        ((HERE, endpoint(2, remote=True, weight=0)), [100, 0]),
        ((HERE, EJECTED, endpoint(2, remote=True, weight=0)), [100, 100, 0]),
        ((endpoint(1, cause=Cause.UNWELL, ready=True), AWAY), [100, 100]),  # it is in where nobody is well
        ((SPARED, AWAY), [100, 100]),
        ((SPARED, EJECTED, AWAY), [100, 100, 100]),
        ((HERE, SPARED, AWAY), [100, 100, 86]),  # 70 % here, of two
        ((endpoint(1, cause=Cause.STARTING, ready=True), AWAY), [100, 0]),
        ((), []),
    ],
)
def test_other_hosts_have_what_this_one_has_lost(endpoints, expected):
    assert locality.weights(endpoints) == expected


@pytest.mark.parametrize(("near", "expected"), [(True, [100, 0]), (False, [100, 100])])
def test_locality_can_be_turned_off(near, expected):
    service = Service(name="web.services.haystack", endpoints=(HERE, AWAY))
    (row,) = at_once(made(service, usual("p2c", 60.0, 10.0, near=near)))
    assert [e.weight for e in row.listeners[0]] == expected

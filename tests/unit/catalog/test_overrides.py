"""What operators decided, in snapshots: who is drained is out whatever becomes of the others, and a weight is the operator's."""

from __future__ import annotations

from typing import Any

import pytest

from haystack.catalog.incremental import Builder
from haystack.health.policy import Condition
from haystack.loop.turns import at_once
from haystack.model import ports
from haystack.model.overrides import Overrides
from haystack.model.reasons import why
from haystack.model.records import STOPPING, Container, Listing, Options
from haystack.model.services import Cause, Endpoint, Override, Service
from haystack.model.snapshot import Snapshot
from haystack.routing.routing_table import made
from haystack.routing.rows import ServiceRow
from tests.fakes.effort import instructions
from tests.fakes.usual import usual

WEB = "web.services.haystack"
OTHER = "shop.services.haystack"
NOW = 1000.0
ILL = Condition(failing="503 from /up")


def container(number: int, **changes: Any) -> Container:
    return Container(
        **{
            "id": f"{number:x}" * 64, "name": f"web-{number}", "engine": "e", "services": ("web", "shop"), "address": f"10.0.0.{number}",
            "ports": (ports.named(80, "tcp"),), **changes,
        }
    )  # fmt: skip


def order(scope: str, target: str, **changes: Any) -> Override:
    return Override(**{"scope": scope, "target": target, "name": "x", "by": "eve@desk", "at": NOW, **changes})


def endpoint(number: int) -> str:
    return f"{number:x}" * 12 + ":80/tcp"


def orders(*some: Override) -> Overrides:
    drains = {o.target: o for o in some if o.weight is None}
    return Overrides(drains=drains, weights={o.target: o for o in some if o.weight is not None})


class Rig:
    """A catalog of such containers: each build with other overrides."""

    def __init__(self, *containers: Container, conditions: dict[int, Condition] | None = None) -> None:
        self.builder = Builder(Snapshot(version=0, created=0.0, origin="haystack"))
        self.containers = containers
        self.conditions = {container(number).id: condition for number, condition in (conditions or {}).items()}
        self.snapshot = self.build()

    def build(self, *some: Override, steady: float = 0.0) -> Snapshot:
        self.builder.overrides = orders(*some)
        listings = {"x": Listing(containers=self.containers)}
        found = at_once(self.builder.build(listings, NOW, steady, lambda c, _e: self.conditions.get(c.id, Condition())))
        self.snapshot = found or self.snapshot
        return self.snapshot


def of(snapshot: Snapshot, number: int, service: str = WEB) -> Endpoint:
    return next(e for e in snapshot.services[service].endpoints if e.id == endpoint(number))


def row(service: Service) -> ServiceRow:
    return at_once(made(service, usual("p2c", 60.0, 10.0)))[0]


@pytest.mark.parametrize(
    ("scope", "target", "out"),
    [
        ("endpoint", endpoint(1), [False, False]),
        ("container", container(1).id, [False, False]),
        ("service", WEB, [False, True]),
    ],
)
def test_what_is_drained_is_out_and_says_by_whom(scope: str, target: str, out: list[bool]) -> None:
    rig = Rig(container(1), container(2))
    found = rig.build(order(scope, target, why="new kernel", until=NOW + 60))
    assert [of(found, 1, name).ready for name in (WEB, OTHER)] == out
    assert of(found, 2).ready == (scope != "service")
    drained = of(found, 1)
    assert (drained.cause, drained.until, drained.since) == (Cause.DRAINED, NOW + 60, NOW)
    assert "drained by eve@desk: new kernel, until 1970-01-01 00:17:40Z" in drained.reason
    assert why(drained, NOW + 5).endswith("00:17:40Z (5.0 s ago), back in 55.0 s")
    assert drained.overrides == (rig.builder.overrides.drains[target],)


def test_it_is_in_again_at_once_when_that_is_undone() -> None:
    rig = Rig(container(1), container(2))
    rig.build(order("endpoint", endpoint(1)))
    assert of(rig.build(), 1) == of(Rig(container(1), container(2)).snapshot, 1)


def test_a_drained_one_that_was_ill_is_ill_afterwards() -> None:
    rig = Rig(container(1), container(2), conditions={1: ILL})
    assert of(rig.snapshot, 1).cause is Cause.UNWELL
    assert of(rig.build(order("container", container(1).id)), 1).cause is Cause.DRAINED
    assert of(rig.build(), 1).cause is Cause.UNWELL


def test_panic_takes_those_in_that_are_ill_and_never_those_that_are_drained() -> None:
    rig = Rig(container(1), container(2), container(3), conditions={2: ILL, 3: ILL})
    found = rig.build(order("endpoint", endpoint(1)), order("endpoint", endpoint(3)))
    assert [of(found, n).ready for n in (1, 2, 3)] == [False, True, False]


def test_one_that_was_told_to_stop_is_stopping_also_when_it_is_drained() -> None:
    """What it breaks off from then on says nothing against a request."""
    rig = Rig(container(1, state=STOPPING, state_reason="kill SIGTERM"), container(2))
    assert of(rig.build(order("endpoint", endpoint(1))), 1).cause is Cause.STOPPING


def test_a_host_name_of_a_drained_container_leads_to_it_no_more() -> None:
    rig = Rig(container(1, options=Options(hosts=("a.example",))), container(2))
    claim = rig.build(order("service", WEB)).services[WEB].claims[0]
    assert [e.ready for e in claim.endpoints] == [False]


def test_a_weight_is_the_operators_also_one_of_nothing_and_the_label_s_afterwards() -> None:
    rig = Rig(container(1, options=Options(weight=7)), container(2))
    for weight in (0, 30):
        found = of(rig.build(order("endpoint", endpoint(1), weight=weight, why="trial")), 1)
        assert (found.weight, found.ready, found.reason) == (weight, True, "running")
        assert why(found, NOW) == f"running; weight {weight} by eve@desk: trial"
    assert of(rig.build(), 1).weight == 7


def test_a_weight_does_not_begin_a_slow_start_anew_and_a_drain_that_ends_does() -> None:
    slow = container(1, options=Options(health={"slow_start": "10"}), since=1.0)
    rig = Rig(slow, container(2))
    assert of(rig.snapshot, 1).share == 1.0
    assert of(rig.build(order("endpoint", endpoint(1), weight=50)), 1).share == 1.0
    rig.build(order("endpoint", endpoint(1)), steady=5.0)
    assert of(rig.build(steady=6.0), 1).share == 0.1


def test_a_container_that_comes_into_a_service_in_maintenance_is_out() -> None:
    rig = Rig(container(1))
    rig.build(order("service", WEB))
    rig.containers = (container(1), container(2))
    assert not of(rig.build(order("service", WEB)), 2).ready


def test_requests_for_a_service_in_maintenance_do_not_wait_and_are_not_told_by_whom() -> None:
    rig = Rig(container(1), container(2))
    found = row(rig.build(order("service", WEB, why="secret plans")).services[WEB])
    assert (found.why, found.since, found.options.wait, found.awaited) == ("in maintenance", 0.0, 0.0, False)
    one_by_one = row(rig.build(order("endpoint", endpoint(1)), order("endpoint", endpoint(2))).services[WEB])
    assert (one_by_one.why, one_by_one.options.wait) == ("in maintenance", 0.0)


def test_requests_wait_where_one_that_is_not_drained_may_come_back() -> None:
    rig = Rig(container(1), container(2, state="paused", state_reason="paused", since=1.0))
    found = row(rig.build(order("endpoint", endpoint(1))).services[WEB])
    assert (found.why, found.options.wait) == ("drained", 10.0)
    assert found.since == NOW


def test_many_new_orders_are_looked_through_in_turns() -> None:
    """With 20,000 it took 20 ms in one go, in which nothing else of the control process went on."""
    rig = Rig(container(1))
    many = [order("endpoint", f"{n:012x}:80/tcp") for n in range(10_000)] + [order("container", container(1).id)]

    def longest() -> tuple[int, Snapshot]:
        rig.builder.overrides = orders(*many)
        work = rig.builder.build({"x": Listing(containers=rig.containers)}, NOW, 0.0, lambda _c, _e: Condition())
        most = 0
        while True:
            try:
                most = max(most, instructions(lambda: next(work)))
            except StopIteration as end:
                return most, end.value

    most, snapshot = longest()
    assert of(snapshot, 1).cause is Cause.DRAINED
    assert most < 10_000

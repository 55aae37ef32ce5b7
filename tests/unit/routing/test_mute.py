"""A service none of whose ports speaks HTTP is known to the workers, but never before requests that wait for one that does."""

from __future__ import annotations

from haystack.catalog.incremental import Builder
from haystack.health.policy import Condition
from haystack.loop.turns import at_once
from haystack.model import ports
from haystack.model.records import Container, Listing
from haystack.model.snapshot import Snapshot
from haystack.routing.rows import ServiceRow
from haystack.routing.table_updates import Tables
from haystack.routing.tombstones import SECONDS
from tests.fakes.usual import usual

WEB = "web.services.haystack"


def container(number: int, *numbers: int) -> Container:
    listed = tuple(ports.named(n, "tcp") for n in numbers)
    return Container(id=f"{number:x}" * 64, name=f"c{number}", engine="e", services=("web",), address=f"10.0.0.{number}", ports=listed)


class Rig:
    """One worker's table as containers come and go."""

    def __init__(self) -> None:
        self.builder = Builder(Snapshot(version=0, created=0.0, origin="haystack"))
        self.tables = Tables(usual("p2c", 60.0, 10.0))

    def show(self, now: float, *containers: Container) -> ServiceRow | None:
        made = at_once(self.builder.build({"x": Listing(containers=containers)}, now, now, lambda _c, _e: Condition()))
        if made is not None:
            at_once(self.tables.follow(made, now))
        else:
            self.tables.expire(now)
        return next(iter(self.tables.whole().services), None)


def test_it_says_so_while_it_is_there_and_leaves_nothing() -> None:
    rig = Rig()
    told = rig.show(1.0, container(1, 22))
    assert told is not None
    assert told.mute
    assert rig.show(2.0) is None


def test_with_a_port_that_speaks_http_it_is_served_at_once() -> None:
    rig = Rig()
    rig.show(1.0, container(1, 22))
    told = rig.show(2.0, container(1, 22), container(2, 80))
    assert told is not None
    assert (told.mute, len(told.listeners[0])) == ("", 1)


def test_where_http_was_served_a_moment_ago_requests_wait_on_and_only_then_it_says_so() -> None:
    rig = Rig()
    rig.show(1.0, container(1, 22), container(2, 80))
    told = rig.show(2.0, container(1, 22))
    assert told is not None
    assert (told.mute, told.why, told.listeners) == ("", "gone", ((),))
    again = rig.show(3.0, container(1, 22), container(3, 22))
    assert again == told
    late = rig.show(2.0 + SECONDS, container(1, 22), container(3, 22))
    assert late is not None
    assert late.mute


def test_where_it_has_gone_too_meanwhile_nothing_is_left() -> None:
    rig = Rig()
    rig.show(1.0, container(1, 22), container(2, 80))
    rig.show(2.0, container(1, 22))
    assert rig.show(3.0) is not None
    assert rig.show(2.0 + SECONDS) is None

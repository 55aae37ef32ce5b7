"""Thousands of networks: they are looked through in turns when they were listed anew, and not at all when they were not."""

from __future__ import annotations

from haystack.catalog.build import unwatched
from haystack.catalog.incremental import Builder
from haystack.loop.turns import at_once
from haystack.model.records import Listing, Network
from haystack.model.snapshot import Snapshot
from tests.fakes.effort import instructions


def networks(count: int) -> tuple[Network, ...]:
    return tuple(Network(id=str(n), name=f"n{n}", engine="e", subnets=(f"10.{n >> 8}.{n & 255}.0/24",)) for n in range(count))


def built(builder: Builder, listed: tuple[Network, ...]) -> Snapshot | None:
    return at_once(builder.build({"x": Listing(networks=listed)}, 1.0, 1.0, unwatched))


def test_listed_anew_and_the_same_they_are_the_very_mapping_of_before() -> None:
    builder = Builder(Snapshot(version=0, created=0.0, origin="haystack"))
    first = built(builder, networks(3))
    assert built(builder, networks(3)) is None
    more = built(builder, networks(4))
    assert first is not None
    assert more is not None
    assert all(more.networks[key] is network for key, network in first.networks.items())
    fewer = built(builder, networks(2))
    assert fewer is not None
    assert list(fewer.networks) == ["0", "1"]


def test_no_turn_is_longer_for_more_of_them() -> None:
    def longest(count: int) -> int:
        builder = Builder(Snapshot(version=0, created=0.0, origin="haystack"))
        built(builder, networks(count))
        work, most, going = builder.build({"x": Listing(networks=networks(count))}, 1.0, 1.0, unwatched), 0, True

        def step() -> None:
            nonlocal going
            going = next(work, False) is None

        while going:
            most = max(most, instructions(step))
        return most

    assert longest(1_000) == longest(100)


def test_a_change_of_something_else_does_not_look_at_them() -> None:
    def cost(count: int) -> int:
        builder, listed = Builder(Snapshot(version=0, created=0.0, origin="haystack")), networks(count)
        built(builder, listed)
        return instructions(lambda: built(builder, listed))

    assert cost(1_000) == cost(100)

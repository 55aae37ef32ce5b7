"""Endpoints by image: what is added up, and which image is marked as worse than the others: never by chance, never by few requests."""

from __future__ import annotations

import random
from typing import NamedTuple

import pytest

from haystack.loop.turns import at_once
from haystack.model.durations import SLOTS, slot_of
from haystack.views.cohorts import ENOUGH, Cohort, Member, cohorts, share

OLD, NEW = "sha256:" + "a" * 64, "sha256:" + "b" * 64


class Counted(NamedTuple):
    """Figures of an endpoint."""

    requests: int
    errors: int
    durations: list[int]


def counted(requests: int, errors: int = 0, **slots: int) -> Counted:
    """So many requests of 1 ms, but for those of other durations: ms500=3."""
    durations = [0] * SLOTS
    for name, number in slots.items():
        durations[slot_of(int(name[2:]) / 1000)] += number
    durations[slot_of(0.001)] += requests - sum(slots.values())
    return Counted(requests, errors, durations)


def found(old: Counted | None, new: Counted | None) -> dict[str, Cohort]:
    members = [Member("web-1", "web:1", OLD, True, old), Member("web-2", "web:2", NEW, True, new)]
    return {cohort.digest: cohort for cohort in at_once(cohorts(members))}


def test_endpoints_of_one_image_are_added_up_whatever_they_call_it() -> None:
    members = [
        Member("web-1", "web:1", OLD, True, counted(10, 1)),
        Member("web-2", "web:latest", OLD, False, counted(30, 2, ms500=1)),
        Member("web-3", "web:2", NEW, True, None),
    ]
    old, new = at_once(cohorts(members))
    assert (old.digest, old.image, old.containers, old.endpoints, old.ready) == (OLD, "web:1, web:latest", ("web-1", "web-2"), 2, 1)
    assert (old.requests, old.errors) == (40, 3)
    assert 0.0008 < old.p50 < 0.0011
    assert 0.4 < old.p99 < 0.6
    assert (new.requests, new.p50, new.odd) == (0, 0.0, "")


def test_without_an_id_the_name_of_the_image_counts() -> None:
    members = [Member("a", "web", "", True, None), Member("b", "web", "", True, None), Member("c", "api", "", True, None)]
    assert sorted(cohort.digest for cohort in at_once(cohorts(members))) == ["api", "web"]
    assert at_once(cohorts([])) == []


def test_the_image_with_more_errors_is_marked_and_no_other() -> None:
    both = found(counted(10_000, 10), counted(1_000, 50))
    assert both[NEW].odd == "more errors: 5.0 %, the others 0.1 %"
    assert both[OLD].odd == ""


def test_the_slower_image_is_marked() -> None:
    both = found(counted(10_000, ms50=500), counted(1_000, ms500=600))
    assert both[NEW].odd.startswith("slower: 60.0 % take more than ")
    assert both[OLD].odd == ""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (counted(10_000, 10), counted(ENOUGH - 1, ENOUGH - 1)),
        (counted(ENOUGH - 1), counted(10_000, 9_000)),
        (counted(1_000, 10), counted(1_000, 15)),
        (counted(100_000, 1_000), counted(100_000, 1_500)),
        (counted(10_000, 10_000), counted(10_000, 10_000)),
        (counted(1_000), counted(1_000)),
        (None, counted(1_000, 900)),
    ],
    ids=["few of it", "few others", "may be chance", "certain but small", "all fail", "none fails", "nothing to compare"],
)
def test_none_is_marked(old: Counted | None, new: Counted) -> None:
    assert [cohort.odd for cohort in found(old, new).values()] == ["", ""]


def test_equal_images_are_hardly_ever_marked() -> None:
    rng = random.Random(7)
    marked = 0
    for _ in range(300):
        old, new = (
            counted(n, sum(rng.random() < 0.05 for _ in range(n)), ms80=sum(rng.random() < 0.1 for _ in range(n))) for n in (900, 300)
        )
        marked += any(cohort.odd for cohort in found(old, new).values())
    assert marked == 0


@pytest.mark.parametrize(("part", "of", "told"), [(0, 0, "0.0 %"), (0, 9, "0.0 %"), (1, 10_000, "< 0.1 %"), (31, 1000, "3.1 %")])
def test_a_share_is_shown_in_per_cent(part: int, of: int, told: str) -> None:
    assert share(part, of) == told

"""What an issuer does where the clock is wrong, and is set right later, in simulated time."""

from __future__ import annotations

import pytest

from haystack.tls.acme.renewal import DAY
from tests.unit.tls.acme.conftest import Rig

HOUR = 3600.0
NAME = "www.example.com"
CAA = {"type": "urn:ietf:params:acme:error:caa", "detail": "CAA forbids it"}


@pytest.fixture
def ahead(rig):
    """Have our clock so many days ahead of the authority's; gives what sets it right."""

    def sets(days):
        rig.clock.now += days * DAY
        rig.ca.clock = lambda: rig.clock() - days * DAY

        def right():
            rig.clock.now -= days * DAY
            rig.ca.clock = rig.clock

        return right

    return sets


def restarted(rig, tmp_path):
    rig.lease.release()
    rig = Rig(tmp_path / "acme", rig.clock, rig.ca, name="two")
    rig.want(web=NAME)
    return rig


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("days", [70, 85, 200])
async def test_a_clock_that_was_ahead_blocks_no_renewal_and_leaves_no_problem(rig, ahead, tmp_path, days, restart):
    right = ahead(days)
    rig.want(web=NAME)
    for _ in range(5):
        await rig.rounds(later=HOUR)
    assert rig.certified == [NAME]
    assert rig.problems[NAME].startswith("due for renewal at once: what was issued is valid until ")
    assert rig.entry(NAME).error == rig.problems[NAME]
    right()
    rig = restarted(rig, tmp_path) if restart else rig
    orders = len(rig.ordered)
    await rig.rounds(later=60)
    assert rig.problems == {}
    assert rig.entry(NAME) is None
    assert rig.folder.history().names == {}
    assert len(rig.ordered) == orders
    for _ in range(62):
        await rig.rounds(later=DAY)
    assert len(rig.ordered) == orders + 1
    assert rig.problems == {}


async def test_what_was_refused_by_a_clock_that_was_ahead_does_not_wait_for_it(rig, ahead, tmp_path):
    right = ahead(70)
    rig.ca.refusals[NAME] = CAA
    rig.want(web=NAME)
    await rig.rounds()
    assert rig.certified == []
    right()
    rig.ca.refusals.clear()
    rig = restarted(rig, tmp_path)
    await rig.rounds(later=60)
    assert rig.certified == [NAME]


async def test_an_authority_that_was_silent_then_is_asked_again(rig, ahead):
    right = ahead(70)
    rig.ca.down = "no route to host"
    rig.want(web=NAME)
    await rig.rounds()
    right()
    rig.ca.down = ""
    await rig.rounds(later=60)
    assert rig.certified == [NAME]
    assert rig.problems == {}


async def test_a_name_that_was_refused_then_and_leads_elsewhere_now_is_not_looked_at_all_the_time(rig, ahead):
    right = ahead(70)
    rig.ca.refusals[NAME] = CAA
    rig.want(web=NAME)
    await rig.rounds()
    right()
    rig.reach.astray[NAME] = "elsewhere"
    rig.reach.looked.clear()
    for _ in range(60):
        await rig.round(later=1)
    assert 1 <= len(rig.reach.looked) <= 3


async def test_suggestions_are_asked_for_again(rig, ahead):
    right = ahead(30)
    rig.ca.window = (rig.clock() + 20 * DAY, rig.clock() + 21 * DAY)
    rig.want(web=NAME)
    await rig.rounds()
    await rig.rounds(later=60)
    asked = rig.ca.count["ari"]
    assert asked
    right()
    await rig.rounds(later=60)
    assert rig.ca.count["ari"] == asked + 1
    await rig.rounds(later=60)
    assert rig.ca.count["ari"] == asked + 1


async def test_an_authority_whose_certificates_are_always_due_leaves_nobody_without_one_for_long(rig):
    """It backdates by half of what they last. Each is ordered later and later, but not long after the end of the one before."""
    ours = rig.ca.clock
    rig.ca.clock, rig.ca.lifetime = lambda: ours() - 5 * HOUR, 10 * HOUR
    rig.want(web=NAME)
    without = 0.0
    for _ in range(2 * 24 * 7):
        await rig.rounds(later=HOUR / 2)
        without = 0.0 if any(each.is_valid(rig.clock()) for each in rig.issuer.shelf.there.values()) else without + HOUR / 2
        assert without <= 1.5 * HOUR
    assert len(rig.ordered) <= 7 * 8

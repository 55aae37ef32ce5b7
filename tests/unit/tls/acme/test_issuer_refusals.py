"""What an issuer does about names that lead elsewhere, orders that are refused, and authorities that are down, in simulated time."""

from __future__ import annotations

import asyncio
import contextlib
import itertools

import pytest

from haystack.tls.acme.folder import FolderError
from haystack.tls.acme.issuer import OFTEN
from haystack.tls.acme.renewal import DAY
from haystack.tls.store import ACME
from tests.unit.tls.acme.conftest import START, Rig

HOUR = 3600.0
NAME = "www.example.com"


async def test_a_name_that_does_not_lead_here_is_told_and_not_asked_for(rig):
    rig.reach.astray[NAME] = "www.example.com leads to 192.0.2.9, which is not Haystack's address"
    rig.want(web=NAME)
    await rig.rounds()
    assert rig.ordered == []
    assert rig.ca.count.total() == 0
    assert rig.problems[NAME].startswith("www.example.com leads to 192.0.2.9")
    assert "192.0.2.9" in rig.entry(NAME).error


async def test_a_host_that_is_spelled_as_the_key_of_a_certificate_does_not_touch_it(rig):
    rig.want(web=NAME)
    await rig.rounds()
    (key,) = rig.store.keys(ACME)
    rig.reach.astray[key] = "elsewhere"
    rig.want(web=NAME, liar=key)
    await rig.rounds(later=60)
    assert rig.store.picture.entries[ACME, key].error == ""
    assert rig.entry(key).names == (key,)
    rig.want(web=NAME)
    await rig.rounds(later=60)
    assert rig.certified == [NAME]
    assert rig.entry(key) is None


@pytest.mark.parametrize(("behind", "lifetime"), [(400 * DAY, 90 * DAY), (80 * DAY, 90 * DAY), (0.0, 3.0)])
async def test_a_certificate_that_is_due_as_it_comes_is_ordered_again_later_and_later(rig, behind, lifetime):
    """As by a clock that is far ahead of the authority's: at once, its limit would be used up within minutes."""
    ours = rig.ca.clock
    rig.ca.clock, rig.ca.lifetime = lambda: ours() - behind, lifetime
    rig.want(web=NAME)
    for _ in range(24 * 60):
        await rig.round(later=60)
    assert 2 <= len(rig.ordered) <= 16
    assert rig.problems[NAME].startswith("due for renewal at once: ")
    rig.ca.clock, rig.ca.lifetime = ours, 90 * DAY
    await rig.rounds(later=2 * DAY)
    assert rig.certified == [NAME]
    assert rig.problems == {}


async def test_dns_is_looked_at_less_and_less_often(rig):
    rig.reach.astray[NAME] = "elsewhere"
    rig.want(web=NAME)
    for _ in range(24 * 60):
        await rig.round(later=60)
    assert 24 <= len(rig.reach.looked) <= 40
    rig.reach.astray.clear()
    await rig.rounds(later=2 * HOUR)
    assert rig.certified == [NAME]
    assert rig.problems == {}
    assert rig.entry(NAME) is None


async def test_a_wrong_name_leaves_the_others_of_its_service_alone(rig):
    rig.reach.astray["old.example.com"] = "elsewhere"
    rig.want(web="old.example.com,www.example.com")
    await rig.rounds()
    assert rig.certified == ["www.example.com"]
    for _ in range(50):
        await rig.rounds(later=HOUR)
    assert len(rig.ordered) == 1


async def test_a_refused_name_waits_and_the_others_are_ordered_without_it(rig):
    rig.ca.refusals["bad.example.com"] = {"type": "urn:ietf:params:acme:error:caa", "detail": "CAA forbids it"}
    rig.want(web="bad.example.com,www.example.com")
    await rig.rounds()
    assert rig.ordered == [["bad.example.com", "www.example.com"], ["www.example.com"]]
    assert rig.certified == ["www.example.com"]
    assert "CAA forbids it" in rig.entry("bad.example.com").error
    assert rig.http.shown == set()


async def test_a_refused_name_is_tried_less_and_less_often(rig):
    rig.ca.refusals[NAME] = {"type": "urn:ietf:params:acme:error:unauthorized", "detail": "nothing there"}
    rig.want(web=NAME)
    times = []
    for _ in range(14 * 24 * 6):
        await rig.rounds(later=600)
        if len(rig.ordered) > len(times):
            times.append(rig.clock.now)
    pauses = [late - early for early, late in itertools.pairwise(times)]
    assert pauses[0] <= 20 * 60
    assert pauses[-1] > 0.75 * DAY
    assert sum(at < START + HOUR + 600 for at in times) <= 3
    assert 10 <= len(times) <= 25


@pytest.mark.parametrize("error", [FolderError("disk full"), asyncio.CancelledError(), RuntimeError("odd")])
async def test_one_that_fails_in_another_way_does_not_have_the_outcomes_of_others_forgotten(rig, error, monkeypatch):
    rig.ca.refusals["bad.example.com"] = {"type": "urn:ietf:params:acme:error:caa", "detail": "CAA forbids it"}
    obtain = rig.issuer._authority.obtain

    async def fails(task):
        if task.names != ("full.example.com",):
            return await obtain(task)
        raise error

    monkeypatch.setattr(rig.issuer._authority, "obtain", fails)
    rig.want(bad="bad.example.com", full="full.example.com", web=NAME)
    with contextlib.suppress(asyncio.CancelledError):
        await rig.round()
    rig.store.publish()
    assert rig.certified == [NAME]
    assert rig.folder.history().names["bad.example.com"].failures == 1
    with contextlib.suppress(asyncio.CancelledError):
        await rig.round(later=1)
    assert rig.ordered.count(["bad.example.com"]) == 1


async def test_a_fault_of_our_own_is_told_and_it_goes_on(rig, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(rig.issuer._authority, "obtain", lambda _task: asyncio.sleep(0, 1 / 0))
        rig.want(web=NAME)
        assert await rig.round() == OFTEN
    assert "ZeroDivisionError" in rig.problems["HAYSTACK_ACME"]
    assert "ZeroDivisionError" in rig.problems[NAME]
    await rig.rounds(later=OFTEN)
    assert rig.certified == []
    await rig.rounds(later=0.25 * HOUR)
    assert rig.certified == [NAME]
    assert rig.problems == {}


async def test_orders_that_always_fail_in_a_way_nobody_has_thought_of_leave_their_places_to_others(rig, monkeypatch):
    """Four are under way at a time, and what has no certificate yet goes first."""
    obtain, tries = rig.issuer._authority.obtain, []

    async def fails(task):
        if not task.names[0].startswith("odd"):
            return await obtain(task)
        tries.append(task.names)
        raise RuntimeError("odd")

    monkeypatch.setattr(rig.issuer._authority, "obtain", fails)
    rig.want(**{f"a{number}": f"odd{number}.example.com" for number in range(6)}, web=NAME)
    for _ in range(6):
        await rig.round(later=OFTEN)
    assert rig.certified == [NAME]
    assert len(tries) == 6
    assert {failed.failures for failed in rig.folder.history().names.values()} == {1}


async def test_a_refusal_is_kept_while_other_orders_go_on(rig, monkeypatch):
    rig.ca.refusals["bad.example.com"] = {"type": "urn:ietf:params:acme:error:caa", "detail": "CAA forbids it"}
    obtain, kept, save = rig.issuer._authority.obtain, asyncio.Event(), rig.issuer._save

    async def hangs(task):
        return await (asyncio.Event().wait() if task.names == (NAME,) else obtain(task))

    async def saves(history):
        await save(history)
        kept.set()

    monkeypatch.setattr(rig.issuer._authority, "obtain", hangs)
    monkeypatch.setattr(rig.issuer, "_save", saves)
    rig.want(bad="bad.example.com", web=NAME)
    going = asyncio.create_task(rig.round())
    async with asyncio.timeout(10):
        await kept.wait()
    assert rig.folder.history().names["bad.example.com"].failures == 1
    going.cancel()
    await asyncio.gather(going, return_exceptions=True)


async def test_back_off_outlives_a_restart(rig, tmp_path, clock, ca):
    ca.refusals[NAME] = {"type": "urn:ietf:params:acme:error:unauthorized", "detail": "nothing there"}
    rig.want(web=NAME)
    await rig.rounds()
    for number in range(5):
        rig.lease.release()
        rig = Rig(tmp_path / "acme", clock, ca, name=str(number))
        rig.want(web=NAME)
        await rig.rounds(later=5)
    assert len(ca.orders) == 1


@pytest.mark.parametrize("what", ["refused", "astray", "down"])
async def test_after_a_restart_it_is_told_why_there_is_no_certificate_before_it_is_tried_again(rig, tmp_path, clock, ca, what):
    if what == "refused":
        ca.refusals[NAME] = {"type": "urn:ietf:params:acme:error:unauthorized", "detail": "nothing there"}
    elif what == "astray":
        rig.reach.astray[NAME] = "www.example.com leads to 192.0.2.9"
    else:
        ca.down = "no route to host"
    rig.want(web=NAME)
    await rig.rounds()
    told, error = rig.problems, getattr(rig.entry(NAME), "error", None)
    asked = ca.count.total()
    assert told
    rig.lease.release()
    rig = Rig(tmp_path / "acme", clock, ca, name="two")
    rig.want(web=NAME)
    await rig.round(later=1)
    assert ca.count.total() == asked
    assert rig.reach.looked == []
    assert rig.problems == told
    assert getattr(rig.entry(NAME), "error", None) == error


async def test_an_authority_that_is_down_for_hours_is_asked_less_and_less_often_whatever_the_names(rig):
    rig.ca.down = "no route to host"
    rig.want(**{f"s{number}": f"n{number}.example.com" for number in range(30)})
    for _ in range(12 * 60):
        await rig.round(later=60)
    assert rig.ca.count.total() < 12 * 2 + 40
    assert "no route to host" in rig.problems["HAYSTACK_ACME"]
    rig.ca.down = ""
    await rig.rounds(later=2 * HOUR)
    assert len(rig.certified) == 30
    assert rig.problems == {}


async def test_a_rate_limit_is_waited_for_and_the_name_is_not_to_blame_for_others(rig):
    rig.ca.limits = [(429, {"type": "rateLimited", "detail": "too many certificates"}, "7200")]
    rig.want(web=NAME)
    await rig.rounds()
    rig.want(web=NAME, shop="shop.example.com")
    for _ in range(119):
        await rig.rounds(later=60)
    assert rig.certified == ["shop.example.com"]
    await rig.rounds(later=600)
    assert rig.certified == ["shop.example.com", NAME]


async def test_retry_after_of_an_authority_that_is_overloaded_holds_for_all(rig):
    rig.ca.limits = [(503, {"type": "serverInternal"}, "7200")]
    rig.want(web=NAME)
    await rig.round()
    before = rig.ca.count.total()
    for _ in range(119):
        await rig.round(later=60)
    assert rig.ca.count.total() == before
    await rig.rounds(later=120)
    assert rig.certified == [NAME]


@pytest.mark.parametrize(
    ("problem", "retry_after"),
    [
        ({"type": "rateLimited"}, "\xb2"),
        ({"type": "rateLimited"}, "Fri, 31 Dec 99999999999999999999 23:59:59 GMT"),
        ({"type": "rateLimited", "subproblems": 5}, ""),
        ({"type": "rateLimited", "subproblems": {"a": 1}}, "-5"),
    ],
)
async def test_an_odd_answer_is_the_authoritys_fault_and_not_ours(rig, problem, retry_after):
    rig.ca.limits = [(429, problem, retry_after)]
    rig.want(web=NAME)
    await rig.rounds()
    assert "rateLimited" in rig.problems[NAME]
    assert "fault of Haystack" not in rig.problems[NAME]
    await rig.rounds(later=2 * HOUR)
    assert rig.certified == [NAME]


async def test_nonces_that_are_refused_cost_a_request_each(rig):
    rig.ca.bad_nonces = 5
    rig.want(web=NAME)
    await rig.rounds()
    assert rig.certified == [NAME]


async def test_an_authority_that_has_forgotten_us_knows_us_again(rig):
    rig.want(web=NAME)
    await rig.rounds()
    rig.ca.accounts.clear()
    rig.want(web=NAME, shop="shop.example.com")
    await rig.rounds()
    await rig.rounds(later=60)
    assert "shop.example.com" in rig.certified
    assert len(rig.ca.accounts) == 1

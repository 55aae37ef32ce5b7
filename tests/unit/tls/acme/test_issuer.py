"""What is ordered, when, and what is done where something fails: an issuer before an authority in memory, in simulated time."""

from __future__ import annotations

import json
import os
import stat

import pytest

from haystack.tls.acme.account import Binding, Wishes
from haystack.tls.acme.authority import Taste
from haystack.tls.acme.issuer import OFTEN
from haystack.tls.acme.renewal import DAY
from haystack.tls.acme.reports import Reports
from tests.unit.tls.acme.conftest import START, Rig

HOUR = 3600.0
NAME = "www.example.com"


async def test_each_service_has_one_certificate_for_all_its_names(rig):
    rig.want(web="www.example.com,example.com", shop="shop.example.com")
    await rig.rounds()
    assert sorted(rig.ordered) == [["example.com", "www.example.com"], ["shop.example.com"]]
    assert rig.certified == ["example.com", "shop.example.com", "www.example.com"]
    assert rig.http.shown == set()
    assert len(rig.ca.accounts) == 1
    assert rig.problems == {}


async def test_nothing_more_is_asked_for_while_it_is_valid(rig):
    rig.want(web=NAME)
    await rig.rounds()
    for _ in range(100):
        await rig.rounds(later=HOUR)
    assert len(rig.ordered) == 1


async def test_it_is_renewed_when_a_third_of_its_life_is_left_and_the_old_one_is_served_until_then(rig):
    rig.want(web=NAME)
    await rig.rounds()
    first = rig.store.picture.find(NAME)
    await rig.rounds(later=54 * DAY)
    assert len(rig.ordered) == 1
    rig.ca.down = "no route to host"
    await rig.rounds(later=7 * DAY)
    assert rig.store.picture.find(NAME) is first
    rig.ca.down = ""
    await rig.rounds(later=HOUR * 2)
    assert rig.store.picture.find(NAME).not_after > first.not_after
    assert rig.certified == [NAME]
    assert len(list((rig.folder.path / "certificates").iterdir())) == 1


async def test_after_a_restart_nothing_is_asked_for_again(rig, tmp_path, clock, ca):
    rig.want(web=NAME)
    await rig.rounds()
    rig.lease.release()
    before = ca.count.total()
    other = Rig(tmp_path / "acme", clock, ca)
    other.want(web=NAME)
    await other.issuer.load()
    other.store.publish()
    assert other.certified == [NAME]
    await other.rounds()
    assert (len(ca.orders), len(ca.accounts)) == (1, 1)
    assert ca.count.total() - before <= 1  # the directory, for suggestions


async def test_an_order_under_way_is_gone_on_with_after_a_restart(rig, tmp_path, clock, ca, monkeypatch):
    rig.want(web=NAME)
    ca.slow = 3
    finalize = ca._finalize

    def dies(url, payload):
        finalize(url, payload)
        ca.down = "it went down in the middle"
        return ca._answer(200, {})

    monkeypatch.setattr(ca, "_finalize", dies)
    await rig.round()
    assert rig.certified == []
    rig.lease.release()
    ca.down = ""
    other = Rig(tmp_path / "acme", clock, ca)
    other.want(web=NAME)
    await other.rounds(later=120)
    assert other.certified == [NAME]
    assert len(ca.orders) == 1
    assert list((tmp_path / "acme" / "orders").iterdir()) == []


async def test_an_order_of_another_account_is_not_gone_on_with(rig, tmp_path, clock, ca):
    """As where account.json was removed: the authority shows no account the orders of others."""
    rig.want(web=NAME)
    ca.showing[:] = [lambda _name, _token: setattr(ca, "down", "gone") or False]
    await rig.round()
    rig.lease.release()
    ca.down = ""
    ca.showing.clear()
    (tmp_path / "acme" / "account.json").unlink()
    other = Rig(tmp_path / "acme", clock, ca)
    other.want(web=NAME)
    await other.rounds(later=120)
    assert other.certified == [NAME]
    assert (len(ca.accounts), len(ca.orders)) == (2, 2)


async def test_an_order_that_has_ended_meanwhile_is_placed_anew_at_once(rig, tmp_path, clock, ca):
    rig.want(web=NAME)
    ca.showing[:] = [lambda _name, _token: setattr(ca, "down", "gone") or False]
    await rig.round()
    rig.lease.release()
    ca.down = ""
    ca.showing.clear()
    other = Rig(tmp_path / "acme", clock, ca)
    other.want(web=NAME)
    await other.rounds(later=120)
    assert other.certified == [NAME]
    assert len(ca.orders) == 2


async def test_an_account_is_bound_as_the_authority_wants_it(tmp_path, clock, ca):
    ca.bound = True
    without = Rig(tmp_path / "a", clock, ca)
    without.want(web=NAME)
    await without.rounds()
    assert "HAYSTACK_ACME_EAB" in without.problems["HAYSTACK_ACME"]
    rig = Rig(tmp_path / "b", clock, ca, wishes=Wishes("", Binding("kid-1", "c2VjcmV0LXNlY3JldC1zZWNyZXQ")))
    rig.want(web=NAME)
    await rig.rounds()
    assert rig.certified == [NAME]
    assert len(ca.bindings) == 1


async def test_another_email_is_told_to_the_authority_once(rig, tmp_path, clock, ca):
    rig.want(web=NAME)
    await rig.rounds()
    rig.lease.release()
    other = Rig(tmp_path / "acme", clock, ca, wishes=Wishes("you@example.com"))
    other.want(web=NAME, shop="shop.example.com")
    await other.rounds()
    assert ca.count["acct"] == 1
    assert json.loads((tmp_path / "acme" / "account.json").read_text())["email"] == "you@example.com"


async def test_it_is_renewed_when_the_authority_suggests_it(rig):
    rig.ca.window = (START + 10 * DAY, START + 11 * DAY)
    rig.want(web=NAME)
    await rig.rounds()
    await rig.rounds()
    await rig.rounds(later=9.9 * DAY)
    assert len(rig.ordered) == 1
    await rig.rounds(later=1.2 * DAY)
    assert len(rig.ordered) == 2
    assert rig.ca.orders[1]["replaces"].count(".") == 1


async def test_a_window_that_has_passed_means_now(rig):
    """As where an authority has to revoke many."""
    rig.want(web=NAME)
    rig.ca.window = (START + 50 * DAY, START + 51 * DAY)
    await rig.rounds()
    await rig.rounds()
    rig.ca.window, rig.ca.revoking = (START - 2 * DAY, START - DAY), True
    await rig.rounds(later=23 * HOUR)
    assert len(rig.ordered) == 1
    await rig.rounds(later=2 * HOUR)
    assert len(rig.ordered) == 2
    for _ in range(23):
        await rig.rounds(later=HOUR)
    assert len(rig.ordered) == 2


async def test_a_suggestion_for_what_has_ended_is_not_waited_for(rig):
    rig.ca.window = (START + 50 * DAY, START + 51 * DAY)
    rig.want(web=NAME)
    await rig.rounds()
    await rig.rounds()
    rig.want()
    assert await rig.round(later=90 * DAY + HOUR) == OFTEN


async def test_suggestions_are_asked_for_as_often_as_the_authority_says(rig):
    rig.ca.window = (START + 50 * DAY, START + 51 * DAY)
    rig.ca.retry_ari = "7200"
    rig.want(web=NAME)
    await rig.rounds()
    for _ in range(24 * 6):
        await rig.round(later=600)
    assert 11 <= rig.ca.count["ari"] <= 14


async def test_a_profile_is_asked_for(tmp_path, clock, ca):
    ca.profiles = {"shortlived": 6 * DAY}
    rig = Rig(tmp_path, clock, ca, taste=Taste("shortlived"))
    rig.want(web=NAME)
    await rig.rounds()
    assert ca.orders[0]["profile"] == "shortlived"
    await rig.rounds(later=3.1 * DAY)
    assert len(rig.ordered) == 2


async def test_a_profile_that_the_authority_has_not_is_told(tmp_path, clock, ca):
    rig = Rig(tmp_path, clock, ca, taste=Taste("odd"))
    rig.want(web=NAME)
    await rig.rounds()
    assert "there is no odd" in rig.entry(NAME).error


async def test_the_chain_that_is_preferred_is_taken(tmp_path, clock, ca):
    rig = Rig(tmp_path, clock, ca, taste=Taste("", "Other Root"))
    rig.want(web=NAME)
    await rig.rounds()
    assert rig.store.picture.find(NAME).issuer == "Other Root"


async def test_without_such_a_chain_the_usual_one_is_taken(tmp_path, clock, ca):
    rig = Rig(tmp_path, clock, ca, taste=Taste("", "No Root"))
    rig.want(web=NAME)
    await rig.rounds()
    assert rig.store.picture.find(NAME).issuer == "Fake Root"


@pytest.mark.parametrize("broken", ["names", "key"])
async def test_a_certificate_that_is_not_what_was_ordered_is_not_served(rig, broken):
    rig.ca.broken = broken
    rig.want(web=NAME)
    await rig.rounds()
    assert rig.certified == []
    assert "its certificate" in rig.problems["HAYSTACK_ACME"]
    rig.ca.broken = ""
    await rig.rounds(later=60)
    assert rig.certified == [NAME]


async def test_a_wildcard_without_a_zone_of_ours_is_told_with_what_to_do(rig):
    rig.want(web="*.example.com,www.example.com")
    await rig.rounds()
    assert rig.certified == ["www.example.com"]
    assert "HAYSTACK_ACME_DNS_ZONE" in rig.problems["*.example.com"]


async def test_a_wildcard_is_shown_in_dns_and_stands_for_names_below_it(tmp_path, clock, ca):
    rig = Rig(tmp_path, clock, ca, dns=True)
    rig.want(web="*.example.com,www.example.com", shop="shop.example.com,example.com")
    await rig.rounds()
    assert sorted(rig.ordered) == [["*.example.com"], ["example.com"]]
    assert ("example.com", "token-example.com") in rig.txt.ever


async def test_what_is_kept_is_for_this_user_alone(rig):
    rig.want(web=NAME)
    await rig.rounds()
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in rig.folder.path.rglob("*") if path.is_file()}
    assert set(modes.values()) == {0o600}
    assert {"account.json", "history.json", "lease"} <= modes.keys()


async def test_a_folder_that_can_not_be_written_means_that_nothing_is_ordered(rig, tmp_path):
    (tmp_path / "acme").write_text("a file is in the way")
    rig.want(web=NAME)
    await rig.rounds()
    assert rig.ca.count.total() == 0
    assert "acme" in rig.problems["HAYSTACK_STATE_DIR"]
    (tmp_path / "acme").unlink()
    await rig.rounds(later=60)
    assert rig.certified == [NAME]
    assert rig.problems == {}


async def test_files_that_are_removed_meanwhile_are_written_again(rig):
    rig.want(web=NAME)
    await rig.rounds()
    (path,) = (rig.folder.path / "certificates").iterdir()
    before = path.read_bytes()
    path.unlink()
    await rig.rounds(later=60)
    assert path.read_bytes() == before
    assert len(rig.ordered) == 1


async def test_a_damaged_certificate_is_told_and_ordered_anew(rig, tmp_path, clock, ca):
    rig.want(web=NAME)
    await rig.rounds()
    rig.lease.release()
    (path,) = (rig.folder.path / "certificates").iterdir()
    path.write_bytes(path.read_bytes()[:200])
    other = Rig(tmp_path / "acme", clock, ca)
    other.want(web=NAME)
    await other.rounds()
    assert other.certified == [NAME]
    assert len(ca.orders) == 2


@pytest.mark.parametrize("kind", ["directory", "link"])
async def test_a_certificate_that_can_not_be_read_is_told_once_and_leaves_the_others_alone(rig, tmp_path, clock, ca, kind, monkeypatch):
    rig.want(web=NAME)
    await rig.rounds()
    rig.lease.release()
    odd = rig.folder.path / "certificates" / "a.pem"
    if kind == "directory":
        odd.mkdir()
    else:
        odd.symlink_to("nothing")
    told = []
    monkeypatch.setattr(Reports, "damaged", lambda _self, file, error: told.append((file, error)))
    other = Rig(tmp_path / "acme", clock, ca)
    other.want(web=NAME)
    await other.issuer.load()
    other.store.publish()
    assert other.certified == [NAME]
    await other.rounds()
    assert [file for file, _ in told] == ["a.pem"]
    assert len(ca.orders) == 1


async def test_a_damaged_history_is_begun_anew_and_a_damaged_account_is_told(rig, tmp_path, clock, ca):
    rig.folder.path.mkdir()
    (rig.folder.path / "history.json").write_text("{")
    (rig.folder.path / "account.json").write_text("{")
    rig.want(web=NAME)
    await rig.rounds()
    assert "account.json is damaged" in rig.problems["HAYSTACK_STATE_DIR"]
    assert len(ca.accounts) == 0
    (rig.folder.path / "account.json").unlink()
    await rig.rounds(later=60)
    assert rig.certified == [NAME]


async def test_one_of_two_orders_and_the_other_serves_what_it_gets(rig, tmp_path, clock, ca):
    other = Rig(tmp_path / "acme", clock, ca, name="two", here="elsewhere")
    for each in (rig, other):
        each.want(web=NAME)
    await rig.round()
    await other.round()
    await rig.rounds()
    await other.round(later=15)
    assert rig.certified == other.certified == [NAME]
    assert len(ca.orders) == 1


async def test_another_machine_takes_over_once_the_lease_is_over(rig, tmp_path, clock, ca):
    other = Rig(tmp_path / "acme", clock, ca, name="two", here="elsewhere")
    rig.want(web=NAME)
    other.want(web=NAME, shop="shop.example.com")
    await rig.rounds()
    os.close(rig.lease._fd)  # it dies
    rig.lease._fd = -1
    await other.round(later=59)
    assert len(ca.orders) == 1
    await other.rounds(later=2)
    assert len(ca.orders) == 2
    assert other.certified == ["shop.example.com", NAME]


async def test_names_that_nobody_wants_any_more_are_not_renewed_and_removed_once_they_have_ended(rig):
    rig.want(web=NAME)
    await rig.rounds()
    rig.want()
    await rig.rounds(later=89 * DAY)
    assert rig.certified == [NAME]
    await rig.rounds(later=3 * DAY)
    assert rig.certified == []
    assert len(rig.ordered) == 1
    assert list((rig.folder.path / "certificates").iterdir()) == []


async def test_one_name_more_is_one_certificate_more_in_place_of_the_old_one(rig):
    rig.want(web=NAME)
    await rig.rounds()
    rig.want(web=f"{NAME},example.com")
    await rig.rounds(later=60)
    assert rig.ordered[-1] == ["example.com", NAME]
    await rig.rounds(later=60)
    assert len(rig.issuer.shelf.there) == 1


async def test_public_authorities_are_not_asked_for_names_that_are_not_of_the_internet(tmp_path, clock, ca):
    rig = Rig(tmp_path, clock, ca, public=True)
    rig.want(web="app.internal,app.localhost,intranet,*.a.*.example.com")
    await rig.rounds()
    assert rig.ordered == []
    assert set(rig.problems) == {"app.internal", "app.localhost", "intranet", "*.a.*.example.com"}

"""Which certificate is for which name."""

from __future__ import annotations

import asyncio
import dataclasses
import time

import pytest

from haystack.loop.turns import at_once
from haystack.settings.settings import load
from haystack.tls import certificates
from haystack.tls.service import TlsService
from haystack.tls.store import ACME, DEFAULT, FOLDER, LOCAL, Store


@pytest.fixture
def made(authority):
    return lambda *names, **how: certificates.read(*authority.issue(*names, **how))


async def pictures(store):
    """The next one."""
    told = asyncio.get_running_loop().create_future()
    end = store.subscribe(told.set_result)
    async with asyncio.timeout(10):
        picture = await told
    end()
    return picture


async def test_exact_goes_before_wildcard_and_wildcard_before_default(made):
    store, exact, wild, default = Store(), made("a.example.com"), made("*.example.com"), made("other.example.org")
    store.put(FOLDER, "exact", exact)
    store.put(FOLDER, "wild", wild)
    store.put(FOLDER, DEFAULT, default)
    picture = await pictures(store)
    assert [picture.find(name) for name in ("a.example.com", "b.example.com", "b.a.example.com", "")] == [exact, wild, default, default]


async def test_without_a_default_an_unknown_name_has_none(made):
    store = Store()
    store.put(ACME, "a", made("a.example.com"))
    assert (await pictures(store)).find("b.example.com") is None


async def test_many_changes_in_one_round_make_one_picture(made):
    store, told = Store(), []
    store.subscribe(told.append)
    for number in range(9):
        store.put(ACME, str(number), made(f"{number}.example.com"))
    await pictures(store)
    assert [picture.version for picture in told] == [1]
    assert len(told[0].names) == 9


async def test_one_that_ends_makes_room_for_one_that_is_valid(made):
    now = time.time()
    store = Store(lambda: now)
    ends, lasts = made("a.x"), made("a.x")
    ends = dataclasses.replace(ends, not_after=now + 100)
    store.put(FOLDER, "ends", ends)
    store.put(ACME, "lasts", lasts)
    assert (await pictures(store)).find("a.x") is ends
    version = store.picture.version
    at_once(store.judge())
    await asyncio.sleep(0)
    assert store.picture.version == version
    now += 101
    at_once(store.judge())
    assert (await pictures(store)).find("a.x") is lasts


async def test_the_service_judges_from_time_to_time(made, monkeypatch):
    monkeypatch.setattr("haystack.tls.store.LOOK", 0.01)
    service = TlsService(load({}), lambda _told: None)
    await service.start()
    now = time.time()
    ends, lasts = dataclasses.replace(made("a.x"), not_after=now + 100), made("a.x")
    service.store.put(FOLDER, "ends", ends)
    service.store.put(ACME, "lasts", lasts)
    monkeypatch.setattr(service.store, "_clock", lambda: now + 101)
    async with asyncio.timeout(10):
        while (await pictures(service.store)).find("a.x") is not lasts:
            pass
    await service.close()


async def test_for_one_name_the_valid_one_then_the_first_source_then_the_cheapest_key(made):
    store = Store()
    late, rsa, local, good = made("a.x", expired=True), made("a.x", rsa=True), made("a.x"), made("a.x")
    order = [(FOLDER, "late", late), (LOCAL, "local", local), (ACME, "rsa", rsa), (ACME, "good", good)]
    best = []
    for each in order:
        store.put(*each)
        best.append((await pictures(store)).find("a.x"))
    assert best == [late, local, rsa, good]
    store.remove(ACME, "good")
    store.remove(ACME, "never there")
    assert (await pictures(store)).find("a.x") is rsa


async def test_a_new_one_of_the_same_key_takes_its_names_with_it(made):
    store = Store()
    store.put(ACME, "order", made("a.x", "b.x"))
    new = made("b.x", "c.x")
    store.put(ACME, "order", new)
    picture = await pictures(store)
    assert dict(picture.names) == {"b.x": new, "c.x": new}
    assert [entry.certificate for entry in picture.entries.values()] == [new]


async def test_a_failure_keeps_what_was_there_and_is_told(made):
    store, old = Store(), made("a.x")
    store.put(FOLDER, "a", old)
    store.fail(FOLDER, "a", "it is broken")
    store.fail(FOLDER, "new", "it is empty")
    picture = await pictures(store)
    assert picture.find("a.x") is old
    assert picture.entries[FOLDER, "a"].error == "it is broken"
    assert picture.entries[FOLDER, "new"].certificate is None
    assert store.keys(FOLDER) == {"a", "new"}
    store.put(FOLDER, "a", made("a.x"))
    assert (await pictures(store)).entries[FOLDER, "a"].error == ""


async def test_a_picture_never_changes(made):
    store = Store()
    store.put(FOLDER, "a", made("a.x"))
    before = await pictures(store)
    store.remove(FOLDER, "a")
    after = await pictures(store)
    assert (list(before.names), list(after.names)) == (["a.x"], [])


async def test_challenges_are_apart_from_what_clients_get(made):
    store, proof = Store(), made("a.x")
    store.challenge("a.x", proof)
    picture = await pictures(store)
    assert (picture.find("a.x"), dict(picture.challenges)) == (None, {"a.x": proof})
    store.challenge("a.x", None)
    assert not (await pictures(store)).challenges

"""A redirect to HTTPS that has no effect is a problem of its service, until there is a certificate."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from haystack.loop.turns import at_once
from haystack.model.records import Problem
from haystack.model.services import Carried, Service
from haystack.tls import certificates, redirects
from haystack.tls.redirects import Redirects
from haystack.tls.sources import UNSEALED
from haystack.tls.store import ACME, FOLDER, Store, key_of_name
from tests.fakes.pki import self_signed
from tests.fakes.state import ENDPOINT, NAME

OTHER = replace(ENDPOINT, listener=None)
HOST = Carried(host="shop.example", https="redirect", endpoints=(ENDPOINT,))
LABEL = "label haystack.https"


class Rig:
    def __init__(self, **options: Any) -> None:
        self.now = 0.0
        self.store = Store()
        self.told: list[dict[str, tuple[Problem, ...]]] = []
        self.redirects = Redirects(self.store, self.told.append, clock=lambda: self.now, **{"grace": 0.0, **options})

    def show(self, **fields: Any) -> dict[str, list[tuple[str, str]]]:
        """A service like that; what is wrong then."""
        services = {NAME: Service(name=NAME, **{"endpoints": (ENDPOINT,), **fields})}
        at_once(self.redirects.follow(SimpleNamespace(version=1, services=services, changed_since=lambda _version: None)))
        return self.judge()

    def judge(self) -> dict[str, list[tuple[str, str]]]:
        at_once(self.redirects.judge())
        return {name: [(p.subject, p.message) for p in problems] for name, problems in (self.told or [{}])[-1].items()}

    def put(self, *names: str) -> None:
        self.store.put(FOLDER, "x", certificates.read(*self_signed("an authority", names=names)))
        self.store.publish()


@pytest.fixture
async def rig() -> Rig:
    return Rig()


async def test_a_host_without_a_certificate_is_a_problem_until_there_is_one(rig: Rig) -> None:
    assert rig.show(claims=(HOST,)) == {NAME: [(LABEL, "'redirect' has no effect for shop.example: no certificate is for it")]}
    assert rig.show(claims=(HOST,)) != {}
    assert len(rig.told) == 1  # once
    rig.put("other.example")
    assert rig.judge() != {}
    rig.put("shop.example")
    assert rig.judge() == {}
    assert len(rig.told) == 2


async def test_a_service_that_goes_has_no_problem_any_more(rig: Rig) -> None:
    rig.show(claims=(HOST,))
    assert rig.show() == {}


async def test_a_service_without_hosts_is_asked_for_by_its_own_name(rig: Rig) -> None:
    assert list(rig.show(https="redirect")) == [NAME]
    assert rig.show(https="redirect", claims=(replace(HOST, https="on"),)) == {}  # no authority has certificates for names under ORIGIN
    assert rig.show(https="redirect", endpoints=(OTHER,)) == {}
    rig.put("*.services.haystack")
    assert rig.show(https="redirect") == {}


async def test_what_is_passed_through_or_not_asked_for_is_none(rig: Rig) -> None:
    passed = Carried(host="shop.example", path="", https="passthrough", endpoints=(ENDPOINT,))
    assert rig.show(claims=(HOST, passed)) == {}
    assert rig.show(claims=(replace(HOST, https=None),)) == {}


async def test_many_hosts_are_one_problem(rig: Rig) -> None:
    ((_, text),) = rig.show(claims=tuple(replace(HOST, host=f"h{n}.example") for n in range(5)))[NAME]
    assert text == "'redirect' has no effect for h0.example, h1.example, h2.example and 2 more: no certificate is for them"


async def test_the_setting_is_named_where_it_is_the_cause() -> None:
    usual = replace(HOST, https=None)
    assert Rig(usual="redirect").show(claims=(usual,))[NAME][0][0] == "HAYSTACK_HTTPS"
    assert Rig(usual="redirect", sealed=False).show(claims=(usual,)) == {}


async def test_without_a_listener_it_is_told_at_once_what_to_set() -> None:
    found = Rig(sealed=False, grace=60.0).show(claims=(HOST,))
    assert found == {NAME: [(LABEL, f"'redirect' has no effect for shop.example: {UNSEALED}")]}


async def test_a_certificate_that_is_ordered_has_some_time_unless_it_is_refused() -> None:
    rig = Rig(grace=60.0)
    assert rig.show(claims=(HOST,)) == {}
    rig.now = 59.0
    assert rig.judge() == {}
    rig.store.fail(ACME, key_of_name("shop.example"), "no such name")
    rig.store.publish()
    assert rig.judge()[NAME][0][1].endswith("no certificate is for it (no such name)")
    rig.store.remove(ACME, key_of_name("shop.example"))
    rig.store.publish()
    assert rig.judge() == {}
    rig.now = 60.0
    assert rig.judge() != {}


async def test_it_judges_by_itself_when_something_is_new_or_a_time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redirects, "BURST", 0.01)
    rig = Rig(grace=0.05)
    loop, news = asyncio.get_running_loop(), asyncio.Queue[Any]()
    rig.redirects = Redirects(rig.store, news.put_nowait, grace=0.05, clock=loop.time)
    task = asyncio.create_task(rig.redirects.run())
    services = {NAME: Service(name=NAME, endpoints=(ENDPOINT,), claims=(HOST,))}
    at_once(rig.redirects.follow(SimpleNamespace(version=1, services=services, changed_since=lambda _version: None)))
    async with asyncio.timeout(20):
        assert list(await news.get()) == [NAME]
        rig.put("shop.example")
        assert await news.get() == {}
    task.cancel()


async def test_many_changes_are_judged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redirects, "BURST", 0.3)
    rig, told, times = Rig(), asyncio.Event(), list[int]()
    rig.redirects = Redirects(rig.store, lambda _problems: told.set(), grace=0.0)
    judge = rig.redirects.judge
    monkeypatch.setattr(rig.redirects, "judge", lambda: times.append(1) or judge())
    task = asyncio.create_task(rig.redirects.run())
    services = {NAME: Service(name=NAME, endpoints=(ENDPOINT,), claims=(HOST,))}
    at_once(rig.redirects.follow(SimpleNamespace(version=1, services=services, changed_since=lambda _version: None)))
    for _ in range(30):
        rig.store.publish()
        for _ in range(5):
            await asyncio.sleep(0)
    async with asyncio.timeout(20):
        await told.wait()
    task.cancel()
    assert len(times) <= 3

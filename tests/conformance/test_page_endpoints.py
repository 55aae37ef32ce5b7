"""The page in a real Chromium: what it tells of endpoints, engines and other Haystacks."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest

from haystack import __version__
from haystack.dns.peers import Standing
from haystack.model.records import ConnectionOptions, Engine
from haystack.model.services import Cause, Override
from tests.fakes.browser import Site, Tab, chromium, endpoint, service

pytestmark = pytest.mark.untraced


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as made:
        yield made


def test_a_protocol_that_is_not_plain_http_is_told_beside_the_listener(browser: Any) -> None:
    with Site() as made:
        sealed, shared = (ConnectionOptions(protocol=protocol) for protocol in ("https", "h2c"))
        others = endpoint(2, connection=sealed), endpoint(3, connection=shared), endpoint(4, listener=None, port_name="ssh")
        made.show(service("web", endpoint(1), *others))
        with Tab(browser, f"{made.url}#/service/web.services.haystack") as page:
            cells = page.locator(".rows .protocol")
            assert sorted(cells.all_inner_texts()) == ["http", "http (h2c)", "http (https)", "ssh"]


def test_engines_are_told_with_their_version_and_whether_they_answer(browser: Any) -> None:
    with Site() as made:
        made.show(service("web", endpoint(1)), engines={"E": Engine(id="E", name="box", host="", address="172.17.0.1", version="27.3.1")})
        with Tab(browser, made.url) as page:
            (item,) = page.locator(".engines li").all()
            assert (item.locator("b").text_content(), item.locator(".pill").text_content()) == ("box", "connected")
            assert item.locator(".pill").get_attribute("data-standing") == "in"
            told = item.locator("span").last.text_content()
            assert told.startswith("Docker 27.3.1 \u00b7 172.17.0.1 \u00b7 for ")
            facts = {each.locator("dt").text_content(): each.locator("dd").text_content() for each in page.locator("dl.facts > div").all()}
            assert (facts["version"], facts["origin"]) == (__version__, "haystack")
            assert (facts["listeners"], facts["workers"]) == ("http 80, http-alt 8080", "0 serving")
            made.call(lambda: vars(made.state.registry.sources["unix:///x"]).update(connected=False, error="connection refused"))
            made.show(service("web", endpoint(1, since=1.0)))
            page.wait_for_selector(".engines .pill[data-standing=out]:text('lost')")
            assert item.locator("span").last.text_content().startswith("connection refused \u00b7 Docker 27.3.1")


def test_other_haystacks_are_told_beside_engines_and_one_that_is_out_is_a_problem(browser: Any) -> None:
    up = Standing(name="node-2", address="10.0.1.3", port=80, up=True, since=1.0, names=1234, error="does not answer")
    with Site() as made, Tab(browser, made.url) as page:
        rows = page.get_by_role("list", name="Other Haystacks").locator("li")
        assert rows.count() == 0
        made.peers = [up, Standing(name="10.0.0.3", address="10.0.0.3", port=80)]
        page.wait_for_selector(".engines b:text('Haystack 10.0.0.3')")
        assert rows.locator(".pill").all_text_contents() == ["up", "out"]
        first, second = rows.locator("span:last-child").all_text_contents()
        assert re.fullmatch(r"asked at 10\.0\.1\.3:80 · in 1,234 names of DNS · for \S.* · last error: does not answer", first)
        assert second == "asked at 10.0.0.3:80 · in no name of DNS"
        made.peers = [up, Standing(name="10.0.0.3", address="10.0.0.3", port=80, error="does not accept")]
        told = page.locator(".problems li[data-level=warn]", has_text="peer 10.0.0.3 has not answered yet: does not accept")
        told.wait_for()
        assert rows.locator("span:last-child").last.text_content().startswith("does not accept · asked at")
        made.peers = []
        told.wait_for(state="detached")
        assert not page.get_by_role("list", name="Other Haystacks").is_visible()


def operators(*some: dict[str, Any]) -> tuple[Override, ...]:
    """What these have decided about an endpoint."""
    return tuple(Override(**{"scope": "endpoint", "target": "x", "name": "web-1:80", "at": time.time(), **each}) for each in some)


def test_all_that_operators_decided_is_told_of_an_endpoint(browser: Any) -> None:
    drain, weight = {"by": "ann", "why": "new disk"}, {"by": "bob", "weight": 7, "why": "canary", "until": time.time() + 1230}
    whole = {"by": "cy", "scope": "service", "target": "web.services.haystack", "name": "web.services.haystack"}
    out = {"ready": False, "cause": Cause.DRAINED, "reason": "drained by ann: new disk"}
    with Site() as made:
        made.show(
            service(
                "web", endpoint(1, weight=7, overrides=operators(weight)), endpoint(2, overrides=operators(drain, whole, weight), **out)
            )
        )
        with Tab(browser, made.url) as page:
            drained, weighed = page.locator(".rows .why").all_text_contents()
            told = r"weight 7 by bob: canary, for 20\.\d\u00a0min more"
            assert re.fullmatch(rf"running for \d.+; {told}", weighed)
            first = r"drained by ann: new disk, \d.+ ago; maintenance of web\.services\.haystack by cy"
            assert re.fullmatch(rf"{first}; {told}", drained)


def test_a_port_without_a_listener_is_listed_but_counts_only_where_none_has_one(browser: Any) -> None:
    well, ill, other = endpoint(1), endpoint(2, ready=False, cause=Cause.UNWELL), endpoint(3, listener=None, cause=Cause.UNWELL)
    with Site() as made:
        made.show(service("web", well, ill, other), service("db", endpoint(4, listener=None)))
        with Tab(browser, made.url) as page:
            told = page.locator("article.service .counts").all_text_contents()
            assert sorted(told) == ["1 of 1 endpoint in", "1 of 2 endpoints in"]
            assert page.locator("#counts").text_content().startswith("2 services \u00b7 2 of 3 endpoints in \u00b7 ")
            assert page.locator("#counts").get_attribute("data-state") is None
            assert page.locator(".rows .pill").count() == 4

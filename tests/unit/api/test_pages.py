"""Long pages: when they are made, what is written of them anew, and what clients cost that read slowly, ask often or are many."""

import asyncio
import gc
import socket
import tracemalloc
from contextlib import ExitStack

import httpx
import pytest
from msgspec.structs import replace

from haystack.api import pages, streamed
from haystack.api.pages import Page
from haystack.api.server import ApiServer
from haystack.api.views import application
from haystack.loop.turns import at_once
from haystack.proxy.counters import Counts, Place
from haystack.views.metrics import Exposition
from haystack.views.pieces import USUAL, Pieces
from tests.fakes.state import ID, NAME, picture, state


def many(count):
    """A picture of so many containers."""
    found = picture()
    container = found.containers[ID]
    found.containers = {f"{n:064x}": replace(container, id=f"{n:064x}", name=f"web-{n}") for n in range(count)}
    return found


def client(of):
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=application(of)), base_url="http://haystack")


async def test_many_who_ask_at_once_get_one_making():
    there = state()
    async with client(there) as asking:
        answers = await asyncio.gather(*(asking.get("/api/info") for _ in range(50)))
    assert {answer.status_code for answer in answers} == {200}
    assert there.proxy.refreshed <= 2


async def test_a_body_is_never_older_than_the_request():
    value, go = [b"old"], asyncio.Event()

    async def make():
        made = list(value)
        await go.wait()
        return made

    page = Page(make)
    first = asyncio.ensure_future(page.body())
    await asyncio.sleep(0.01)
    value[0] = b"new"
    second = asyncio.ensure_future(page.body())
    go.set()
    assert (await first).pieces == [b"old"]
    assert (await second).pieces == [b"new"]


async def test_a_making_that_fails_is_not_the_last_one():
    outcomes = [KeyError(), [b"x"]]

    async def make():
        if isinstance(found := outcomes.pop(0), Exception):
            raise found
        return found

    page = Page(make)
    with pytest.raises(KeyError):
        await page.body()
    assert (await page.body()).pieces == [b"x"]


def test_what_has_not_changed_is_not_written_again():
    written = []
    pieces = Pieces(lambda key, value, _now: written.append(key) or f"{key}={value};".encode())
    items = {f"k{n:05}": n for n in range(3000)}
    before = at_once(pieces.of(items.items(), 1.0))
    written.clear()
    items = dict(sorted({**items, "k01500": -1, "k00700x": 7}.items()))
    after = at_once(pieces.of(items.items(), 1.0))
    assert b"".join(after) == b"".join(f"{key}={value};".encode() for key, value in items.items())
    assert len(written) <= 3 * 128
    assert len({*map(id, after)} - {*map(id, before)}) <= 3


def test_what_changes_with_time_is_written_again_each_second():
    pieces = Pieces(lambda key, _value, now: f"{key} {now:.0f};".encode(), ages=lambda value: value)
    items = [("young", False), ("old", True)]
    assert b"".join(at_once(pieces.of(items, 1.0))) == b"".join(at_once(pieces.of(items, 1.4)))
    assert b"old 2" in b"".join(at_once(pieces.of(items, 2.0)))


async def test_who_has_the_newest_page_is_told_so():
    async with client(state()) as asking:
        tag = (await asking.get("/api/containers")).headers["etag"]
        again = await asking.get("/api/containers", headers={"If-None-Match": f'W/{tag}, "other"'})
        assert (again.status_code, again.content) == (304, b"")
        assert (await asking.get("/api/containers", headers={"If-None-Match": '"other"'})).status_code == 200


async def test_another_page_has_another_tag():
    there = state()
    async with client(there) as asking:
        tag = (await asking.get("/api/containers")).headers["etag"]
        there.registry.snapshot = picture(name="other")
        answer = await asking.get("/api/containers", headers={"If-None-Match": tag})
        assert (answer.status_code, answer.json()[ID]["name"]) == (200, "other")


def slow_reader(stack, path):
    """A client that asks for everything and reads nothing."""
    sock = stack.enter_context(socket.socket(socket.AF_UNIX))
    sock.connect(path)
    sock.send(b"GET /api/containers HTTP/1.1\r\nHost: x\r\n\r\n")


async def test_slow_readers_share_the_page_that_they_read(tmp_path):
    path = str(tmp_path / "admin.sock")
    server = ApiServer(state(snapshot=many(2000)), path)
    await server.start()
    gc.collect()
    with ExitStack() as stack:
        tracemalloc.start()
        stack.callback(tracemalloc.stop)
        for _ in range(100):
            slow_reader(stack, path)
        await asyncio.sleep(1.0)
        assert tracemalloc.get_traced_memory()[1] < 24_000_000
    await server.close()


async def test_more_answers_at_once_than_there_is_room_for_are_told_to_come_again(tmp_path, monkeypatch):
    monkeypatch.setattr(streamed, "STALLED", 0.5)
    path = str(tmp_path / "admin.sock")
    server = ApiServer(state(snapshot=many(2000)), path)
    await server.start()
    with ExitStack() as stack:
        for _ in range(streamed.MOST):
            slow_reader(stack, path)
        async with httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(uds=path), base_url="http://x") as asking:
            while (answer := await asking.get("/api/networks")).status_code == 200:
                pass
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
            assert (await asking.get("/healthz")).status_code == 200
            async with asyncio.timeout(10):  # those who read nothing lose their places
                while (await asking.get("/api/networks")).status_code != 200:  # noqa: ASYNC110 - the server tells no one
                    await asyncio.sleep(0.1)
    await server.close()


async def test_slow_readers_of_old_pages_lose_them_when_they_hold_too_much(monkeypatch):
    monkeypatch.setattr(pages, "MOST_HELD", 2500)
    monkeypatch.setattr(pages, "PACE", 0.0)
    fill = iter("abcdefgh")

    async def make():
        return [next(fill).encode() * 1000]

    page = Page(make)
    held = [await page.body() for _ in range(5)]
    assert [bool(body.pieces) for body in held] == [False, False, True, True, True]


async def test_metrics_read_back_as_they_were_meant():
    parser = pytest.importorskip("prometheus_client.parser")
    async with client(state()) as asking:
        text = (await asking.get("/metrics")).text
    found = {family.name: family for family in parser.text_string_to_metric_families(text)}
    (sample,) = found["haystack_requests"].samples
    assert sample.labels == {"host": NAME, "port": "80", "endpoint": f"{ID[:12]}:80/tcp", "container": ID[:12], "address": "172.17.0.2:80"}
    assert [(s.labels["ready"], s.value) for s in found["haystack_endpoints"].samples] == [("true", 1.0), ("false", 0.0)]


def test_metrics_have_every_address_that_a_container_had():
    there = state()
    places = [Place(f"{n:012x}:80/tcp", address, 80) for address in ("10.0.0.1", "10.0.0.2") for n in range(200)]
    there.proxy.requests = {(NAME, 80): Counts(dict.fromkeys(places, 1))}
    text = b"".join(at_once(Exposition(there).pieces())).decode()
    assert text.count("haystack_requests_total{") == len(places)


def test_items_that_share_a_key_are_all_written():
    begins = next(key for key in map(str, range(10_000)) if hash(key) % USUAL == 0)
    written = Pieces(lambda _key, value, _now: value)
    assert b"".join(at_once(written.of([(begins, b"a"), (begins, b"b")], 0))) == b"ab"

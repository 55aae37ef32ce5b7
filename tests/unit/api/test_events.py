"""/api/events: all there is, then what changes; made once for all, and only while somebody listens."""

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import replace as with_fields

import httpx
import pytest
import structlog
from msgspec.structs import replace

from haystack.api import events, feed
from haystack.api.live_rows import LiveRows
from haystack.api.ring import Ring
from haystack.api.server import ApiServer
from haystack.catalog.registry import Registry
from haystack.model import ports
from haystack.model.records import Container, Engine, Listing, Problem
from haystack.model.services import Cause, Service
from haystack.views.live import standing
from tests.fakes.state import ENDPOINT, state

ENGINE = Engine(id="E", name="box", host="tcp://10.9.8.7:2375")


def container(number, **changes):
    made = Container(
        id=f"{number + 1:064x}"[::-1], name=f"n{number}", engine="E", services=("web",), address=f"10.0.0.{number + 1}",
        ports=(ports.named(80, "tcp"),), since=-1000.0,
    )  # fmt: skip
    return replace(made, **changes)


class Site:
    """A real registry before the web side, at a socket."""

    def __init__(self, folder):
        self.registry = Registry("haystack")
        self.state = with_fields(state(), registry=self.registry)
        self.path = str(folder / "admin.sock")
        self.server = ApiServer(self.state, self.path)
        self.containers = [container(n) for n in range(3)]

    async def list(self):
        self.registry.replace("tcp://10.9.8.7:2375", Listing(engine=ENGINE, containers=tuple(self.containers)))
        await self.registry.settle()

    async def change(self, number, **changes):
        self.containers[number] = replace(self.containers[number], **changes)
        await self.list()

    @asynccontextmanager
    async def listen(self, last=""):
        """The messages of a stream, from one client."""
        transport = httpx.AsyncHTTPTransport(uds=self.path)
        client = httpx.AsyncClient(transport=transport, base_url="http://x", timeout=10)
        async with client, client.stream("GET", "/api/events", headers={"Last-Event-ID": last} if last else {}) as answer:
            yield Messages(answer)


class Messages:
    def __init__(self, answer):
        self.answer = answer
        self._lines = answer.aiter_lines()
        self.last = ""

    async def next(self):
        """The next event and its data; (None, the comment) for a comment, (None, None) at the end."""
        event = data = None
        async for line in self._lines:
            field, _, value = line.partition(": ")
            if field == "event":
                event = value
            elif field == "id":
                self.last = value
            elif field == "data":
                data = json.loads(value)
            elif line.startswith(": "):
                return None, line[2:]
            elif not line and event:
                return event, data
        return None, None

    async def whole(self):
        """(kind, key) → value of all rows of a whole state."""
        assert await self.next() == ("begin", {})
        found = {}
        while (message := await self.next())[0] == "change":
            found.update({(kind, key): value for kind, key, value in message[1]})
        assert message == ("complete", {})
        return found

    async def change(self):
        """The same of one change."""
        event, rows = await self.next()
        assert event == "change"
        return {(kind, key): value for kind, key, value in rows}


@pytest.fixture
async def site(tmp_path):
    made = Site(tmp_path)
    await made.server.start()
    await made.list()
    yield made
    await made.server.close()


WEB = "web.services.haystack"


def key(number):
    return ("endpoint", f"{WEB} {container(number).short_id}:80/tcp")


async def test_first_all_is_told(site):
    async with site.listen() as messages:
        assert messages.answer.headers["content-type"] == "text/event-stream"
        found = await messages.whole()
    assert found.keys() == {("summary", ""), ("service", WEB), key(0), key(1), key(2)}
    assert found[key(1)]["standing"] == "in"
    assert found["service", WEB]["http"] is True


async def test_then_what_changes_and_nothing_else(site):
    async with site.listen() as messages:
        await messages.whole()
        await site.change(1, state="stopping", state_reason="kill SIGTERM", since=5.0)
        changed = await messages.change()
        assert changed.keys() == {("summary", ""), key(1)}
        assert (changed[key(1)]["standing"], changed[key(1)]["reason"]) == ("draining", "draining: kill SIGTERM")
        del site.containers[1]
        await site.list()
        assert (await messages.change())[key(1)] is None
        site.containers.clear()
        await site.list()
        assert (await messages.change())["service", WEB] is None


async def test_who_comes_again_is_told_what_was_missed(site):
    async with site.listen() as messages, site.listen() as other:
        await messages.whole()
        await other.whole()
        await site.change(0, state="stopping")
        await messages.change()
        last = messages.last
        await site.change(1, state="stopping")
        await messages.change()
        async with site.listen(last) as again:
            assert key(1) in await again.change()
            assert again.last == messages.last


async def test_who_comes_again_too_late_is_told_all(site):
    async with site.listen("0badcafe-7") as messages:
        assert ("service", WEB) in await messages.whole()


async def test_it_is_made_once_for_all_and_not_at_all_for_nobody(site, monkeypatch):
    monkeypatch.setattr(feed, "LINGER", 0.01)
    taken = []
    original = LiveRows.take
    monkeypatch.setattr(LiveRows, "take", lambda self, *args: taken.append(1) or original(self, *args))
    before = len(site.registry._callbacks)
    async with site.listen() as first, site.listen() as second:
        await first.whole()
        await second.whole()
        assert len(taken) == 1
    async with asyncio.timeout(5):
        while len(site.registry._callbacks) > before:  # noqa: ASYNC110 - nobody is told
            await asyncio.sleep(0.01)
    await site.change(0, state="stopping")
    assert len(taken) == 1
    async with site.listen() as later:
        assert (await later.whole())[key(0)]["standing"] == "draining"


async def test_silence_is_broken_by_comments(site, monkeypatch):
    monkeypatch.setattr(events, "HEARTBEAT", 0.05)
    async with site.listen() as messages:
        await messages.whole()
        assert await messages.next() == (None, "still here")


async def test_too_many_are_told_to_come_again(site):
    writers = []
    for _ in range(events.MOST):
        reader, writer = await asyncio.open_unix_connection(site.path)
        writer.write(b"GET /api/events HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readuntil(b"event: complete")
        writers.append(writer)
    async with site.listen() as messages:
        assert (messages.answer.status_code, messages.answer.headers["retry-after"]) == (503, "1")
    for writer in writers:
        writer.close()
    status = 503
    async with asyncio.timeout(5):
        while status == 503:
            async with site.listen() as messages:
                status = messages.answer.status_code
    assert status == 200


async def test_all_go_when_haystack_stops(site):
    async with site.listen() as messages:
        await messages.whole()
        site.server.leave()
        assert await messages.next() == (None, None)
    async with site.listen() as messages:
        assert messages.answer.status_code == 503


async def test_one_that_reads_nothing_is_let_go(tmp_path, monkeypatch):
    monkeypatch.setattr(events, "STALLED", 0.1)
    there = state()
    many = tuple(replace(ENDPOINT, id=f"{n:012x}:80/tcp") for n in range(5000))
    there.registry.snapshot.services[WEB] = Service(name=WEB, endpoints=many)
    server = ApiServer(there, str(tmp_path / "admin.sock"))
    await server.start()
    reader, writer = await asyncio.open_unix_connection(server.path, limit=1024)
    writer.write(b"GET /api/events HTTP/1.1\r\nHost: x\r\n\r\n")
    with structlog.testing.capture_logs() as lines:
        await reader.readuntil(b"\r\n\r\n")
        while not any(each["event"] == "answer.cut" for each in lines):  # noqa: ASYNC110 - the server tells the log alone
            await asyncio.sleep(0.01)
        rest = b"".join([piece async for piece in _pieces(reader)])
    assert b"event: begin" in rest
    assert b"event: complete" not in rest
    writer.close()
    await server.close()


async def _pieces(reader):
    while piece := await reader.read(1 << 16):
        yield piece


async def test_a_failure_ends_the_stream_and_the_next_one_is_whole(site, monkeypatch):
    async with site.listen() as messages:
        await messages.whole()
        with monkeypatch.context() as patched:
            patched.setattr(LiveRows, "take_summary", lambda *_args: 1 / 0)
            with pytest.raises(httpx.RemoteProtocolError):
                await messages.next()
    async with site.listen() as messages:
        assert ("service", WEB) in await messages.whole()


async def test_where_an_engine_is_is_told_to_nobody(site):
    problem = Problem(subject="duplicates", message="odd")
    listing = Listing(engine=ENGINE, containers=tuple(site.containers), problems=(problem,))
    site.registry.replace("tcp://10.9.8.7:2375", listing)
    await site.registry.settle()
    site.registry.failed("tcp://10.9.8.7:2375", "refused")
    async with site.listen() as messages:
        found = await messages.whole()
    assert found["problems", "box"] == [{"about": "box", "name": "", "subject": "duplicates", "message": "odd"}]
    assert found["summary", ""]["troubles"] == ["box does not answer: refused"]
    assert "10.9.8.7" not in json.dumps([*found.values()])


async def test_containers_without_a_service_and_their_problems(site):
    await site.change(2, services=(), problems=(Problem(subject="label haystack.port", message="not a port"),))
    identity = container(2).id
    async with site.listen() as messages:
        found = await messages.whole()
        assert found["container", identity[:12]]["name"] == "n2"
        assert found["problems", identity][0]["name"] == "n2"
        await site.change(2, services=("web",), problems=())
        changed = await messages.change()
        assert changed["container", identity[:12]] is None
        assert changed["problems", identity] is None


async def test_an_endpoint_is_shown_by_what_its_container_is_called_in_dns(site):
    async with site.listen() as messages:
        await messages.whole()
        await site.change(0, label="n0-other")
        assert (await messages.change())[key(0)]["container_dns"] == "n0-other.containers.haystack"


async def test_what_happens_is_told_without_what_is_for_the_shell_alone(site):
    site.state.journal.add("container.died", "n0", "n0 ended", [WEB], detail="exit status 137")
    async with site.listen() as messages:
        found = await messages.whole()
        assert found["entry", "1"]["text"] == "n0 ended"
        assert "exit status" not in json.dumps([*found.values()])
        site.state.journal.add("operator.drain", "n1", "drains n1", [WEB], "ann")
        assert (await messages.change())["entry", "2"]["by"] == "ann"


async def test_another_origin_may_not_listen(site):
    async with httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(uds=site.path), base_url="http://x") as client:
        answer = await client.head("/api/events", headers={"Origin": "http://evil.example"})
    assert "access-control-allow-origin" not in answer.headers


async def test_head_is_the_head_alone(site):
    async with httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(uds=site.path), base_url="http://x") as client:
        answer = await client.head("/api/events")
    assert (answer.status_code, answer.content) == (200, b"")


def test_a_ring_gives_what_came_after_a_number_as_long_as_it_has_all_of_it():
    ring = Ring(most=3, most_bytes=100)
    assert ring.behind(0) == []
    assert ring.behind(1) is ring.behind(-1) is None
    for message in (b"a", b"b", b"c", b"d"):
        ring.put(message)
    assert ring.behind(0) is None
    assert ring.behind(1) == [b"b", b"c", b"d"]
    assert ring.behind(4) == []
    ring.put(b"x" * 99)
    assert ring.behind(3) == [b"d", b"x" * 99] or ring.behind(4) == [b"x" * 99]


def test_an_endpoint_that_is_in_by_panic_is_told_by_another_word():
    said = {(c, r): standing(replace(ENDPOINT, cause=c, ready=r)) for c in Cause for r in (True, False)}
    assert said[Cause.WELL, True] == "in"
    assert {said[c, True] for c in Cause if c is not Cause.WELL} == {"kept"}
    assert said[Cause.STOPPING, False] == "draining"
    assert said[Cause.DRAINED, False] == "drained"
    assert said[Cause.WAITING, False] == "awaited"
    assert said[Cause.EJECTED, False] == "out"

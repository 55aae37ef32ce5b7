"""Answers of an engine that do not come, come octet by octet, or never end: what they cost, and whom they cost nothing."""

import asyncio
import gc
import json
import threading

import pytest
from requests import exceptions
from structlog.testing import capture_logs

from haystack.discovery.docker import client as border
from haystack.discovery.docker import engine_connection
from haystack.discovery.docker.timing import Timing
from haystack.discovery.docker.tls import Certificates, TlsOptions
from tests.fakes.engine import inspected
from tests.fakes.pki import Authority, server_context
from tests.fakes.sink import running
from tests.fakes.worker import until
from tests.unit.discovery.docker.conftest import FAST, provider

PATIENT = Timing(answer=60.0)  # so that nothing here happens because time is over
BRIEF = Timing(shortest=0.01, longest=0.05, again=0.05, answer=0.3)


async def held(engine, *identities):
    await asyncio.to_thread(until, lambda: engine.held >= set(identities), 10, "nothing is asked about them")


@pytest.fixture
def five(engine):
    return [engine.add(inspected(10 + number, f"hung{number}"), event=False) for number in range(5)]


async def test_containers_that_hang_hide_no_other_that_stops_starts_or_falls_ill(engine, sink, five):
    one, two = (engine.add(inspected(number, name), event=False) for number, name in ((1, "one"), (2, "two")))
    async with running(provider(engine, PATIENT), sink):
        await sink.until(lambda: sink.names and len(sink.names) == 7)
        engine.hanging = {*five, two}
        for identity in five:
            engine.emit("health_status: healthy", identity)
        await held(engine, *five[:4])
        engine.emit("kill", one, signal="15")
        await sink.until(lambda: sink.container("one").state == "stopping")
        engine.remove(one)
        await sink.until(lambda: "one" not in sink.names)
        engine.add(inspected(3, "new"))
        await sink.until(lambda: "new" in sink.names)
        engine.emit("health_status: unhealthy", two)
        await sink.until(lambda: sink.container("two").health == "unhealthy")
        engine.hanging = set()


async def test_what_stops_behind_hundreds_that_started_leaves_before_they_are_looked_at(engine, sink):
    one = engine.add(inspected(1, "one"), event=False)
    ghosts = [inspected(100 + number, "ghost")["Id"] for number in range(300)]
    async with running(provider(engine, PATIENT), sink):
        await sink.until(lambda: sink.names == {"one"})
        engine.hanging = set(ghosts)
        for identity in ghosts:
            engine.emit("start", identity)
        engine.emit("kill", one, signal="15")
        await sink.until(lambda: sink.container("one").state == "stopping")
        engine.hanging = set()


async def test_an_answer_from_before_an_end_brings_nobody_back(engine, sink):
    one = engine.add(inspected(1, "one"), event=False)
    async with running(provider(engine, PATIENT), sink):
        await sink.until(lambda: sink.names == {"one"})
        engine.hanging = {one}
        engine.emit("health_status: healthy", one)
        await held(engine, one)
        engine.emit("die", one, exitCode="0")  # and the engine goes on to tell that it runs
        await sink.until(lambda: sink.names == set())
        engine.hanging = set()
        engine.add(inspected(2, "two"))
        await sink.until(lambda: sink.names == {"two"})
    shown = [{c.name for c in listing.containers} for listing in sink.listings]
    assert all(names in ({"one"}, set(), {"two"}) for names in shown)


async def test_an_answer_from_before_a_pause_does_not_undo_it(engine, sink):
    raw = inspected(1, "one")
    one = engine.add(raw, event=False)
    async with running(provider(engine, PATIENT), sink):
        await sink.until(lambda: sink.names == {"one"})
        engine.hanging = {one}
        engine.emit("health_status: healthy", one)
        await held(engine, one)
        engine.emit("pause", one)
        await sink.until(lambda: sink.container("one").state == "paused")
        shown = len(sink.listings)
        engine.broken.add(one)  # the second answer, so that the first one would stay
        engine.hanging = set()
        engine.add(inspected(2, "two"))
        await sink.until(lambda: sink.names == {"one", "two"})
        assert {c.state for listing in sink.listings[shown:] for c in listing.containers if c.name == "one"} == {"paused"}


@pytest.mark.parametrize("part", ["head", "body"])
async def test_an_inspection_that_trickles_costs_its_container_alone(engine, sink, part):
    one = engine.add(inspected(1, "one"), event=False)
    engine.add(inspected(2, "two"), event=False)
    engine.dripping[f"/containers/{one}/json"] = part
    with capture_logs() as logs:
        async with running(provider(engine, BRIEF), sink):
            await sink.until(lambda: sink.names == {"two"})
            engine.dripping.clear()
            await sink.until(lambda: sink.names == {"one", "two"})
    failed = [line for line in logs if line["event"] == "container.inspect_failed"]
    assert (failed[0]["id"], failed[0]["error"]) == (one[:12], "the engine does not answer in time")
    assert sink.errors == []


async def test_an_inspection_without_end_costs_its_container_alone(engine, sink, monkeypatch):
    monkeypatch.setattr(border, "LONGEST", 1 << 20)
    one = engine.add(inspected(1, "one"), event=False)
    engine.add(inspected(2, "two"), event=False)
    engine.endless.add(f"/containers/{one}/json")
    with capture_logs() as logs:
        async with running(provider(engine, FAST), sink):
            await sink.until(lambda: sink.names == {"two"})
    failed = [line for line in logs if line["event"] == "container.inspect_failed"]
    assert (failed[0]["id"], failed[0]["error"]) == (one[:12], "the engine's answer is longer than 1 MiB")
    assert sink.errors == []


@pytest.mark.parametrize("part", ["head", "body"])
@pytest.mark.parametrize("path", ["/version", "/info", "/networks", "/containers/json"])
async def test_an_engine_whose_answers_trickle_is_one_that_fails(engine, sink, monkeypatch, path, part):
    for name in ("TIMEOUT", "LONG"):
        monkeypatch.setattr(border, name, 0.3)
    monkeypatch.setattr(engine_connection.EngineConnection.connect, "__defaults__", (0.3,))
    engine.dripping[path] = part
    async with running(provider(engine, BRIEF), sink):
        await sink.until(lambda: len(sink.errors) >= 2)
        assert set(sink.errors) == {"the engine does not answer in time"}
        engine.dripping.clear()
        await sink.until(lambda: sink.names == set())


@pytest.mark.parametrize("path", ["/version", "/info", "/networks", "/containers/json"])
async def test_an_engine_whose_answers_never_end_is_one_that_fails(engine, sink, monkeypatch, path):
    for name in ("LONGEST", "LONGEST_LIST"):
        monkeypatch.setattr(border, name, 1 << 20)
    engine.endless.add(path)
    async with running(provider(engine, BRIEF), sink):
        await sink.until(lambda: len(sink.errors) >= 2)
    assert set(sink.errors) == {"the engine's answer is longer than 1 MiB"}


async def test_a_kill_counts_while_the_list_is_made_again_and_does_not_come(engine, sink):
    one = engine.add(inspected(1, "one"), event=False)
    async with running(provider(engine, Timing(relist=0.1)), sink):
        await sink.until(lambda: sink.names == {"one"})
        engine.lists_now.clear()
        lists = engine.lists
        await asyncio.to_thread(until, lambda: engine.lists > lists, 10, "it is not listed again")
        engine.emit("kill", one, signal="15")
        await sink.until(lambda: sink.container("one").state == "stopping")
        engine.lists_now.set()


async def test_what_takes_long_is_waited_for_though_the_engine_is_asked_whether_it_is_there(engine, sink):
    """First a list, then a container: nothing but an answer is due then."""
    one = engine.add(inspected(1, "one"), event=False)
    engine.lists_now.clear()
    engine.hanging = {one}
    async with running(provider(engine, Timing(ping=0.05, answer=60.0)), sink):
        for go_on in (engine.lists_now.set, engine.hanging.clear):
            pings = engine.pings
            await asyncio.to_thread(until, lambda pings=pings: engine.pings >= pings + 3, 10, "it is not asked any more")
            go_on()
        await sink.until(lambda: sink.names == {"one"})
    assert sink.errors == []
    assert engine.lists == 1


async def test_a_kill_counts_after_a_reconnect_while_others_hang(engine, sink, five):
    one = engine.add(inspected(1, "one"), event=False)
    async with running(provider(engine, PATIENT), sink):
        await sink.until(lambda: sink.names and len(sink.names) == 6)
        engine.hanging = set(five)
        engine.cut()
        await held(engine, *five[:3])
        engine.emit("kill", one, signal="15")
        await sink.until(lambda: sink.container("one").state == "stopping")
        engine.hanging = set()


async def test_ends_at_once_though_answers_are_waited_for(engine, sink, five):
    async with running(provider(engine, PATIENT), sink):
        await sink.until(lambda: sink.names and len(sink.names) == 5)
        engine.hanging = set(five)
        for identity in five:
            engine.emit("health_status: healthy", identity)
        await held(engine, *five)
    await asyncio.sleep(0)
    assert not [t for t in threading.enumerate() if t.name.startswith(("haystack-docker", "haystack-events", "haystack-ask"))]
    engine.hanging = set()


def test_a_chunk_of_the_event_stream_is_read_in_pieces(engine):
    """A chunk of HTTP may be of any size, whatever a line may be."""
    client = border.connect(engine.host, None)
    stream = border.events(client)
    line = json.dumps({"note": "a" * (1 << 20)}).encode() + b"\n"
    engine.send(line)
    sizes = []
    for piece in stream:
        sizes.append(len(piece))
        if sum(sizes) == len(line):
            stream.close()
            break
    del stream
    gc.collect()
    assert max(sizes) <= border.CHUNK
    client.close()


async def test_what_is_compressed_unasked_is_not_read(engine, sink):
    """A few bytes may be any number of them then."""
    engine.encoding = "gzip"
    async with running(provider(engine, BRIEF), sink):
        await sink.until(lambda: sink.errors)
    assert set(sink.errors) == {"the engine's answer is compressed (gzip), which it was not asked for"}


@pytest.mark.parametrize("part", ["head", "body"])
def test_what_trickles_through_tls_is_bounded_too(engine, tmp_path, part):
    authority = Authority(tmp_path)
    engine.seal(server_context(*authority.issue("localhost")))
    with Certificates(TlsOptions(ca=(tmp_path / "ca.pem").read_text())) as certificates:
        client = border.connect(f"https://localhost:{engine.port}", certificates)
        assert border.info(client)["Name"] == "fake"
        engine.dripping["/info"] = part
        with pytest.raises(exceptions.RequestException) as failed:
            border.asked(client, "/info", 0.3)
        client.close()
    engine.dripping.clear()
    assert border.late(failed.value)

"""The docker provider from session to session: streams that end, fall silent or are cut, engines that go and come, clocks that jump."""

import asyncio
import gc
import json
import time
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from haystack.discovery.docker.provider import Sessions
from haystack.discovery.docker.timing import Timing
from haystack.discovery.docker.tls import TlsOptions
from tests.fakes.engine import inspected, rfc3339
from tests.fakes.sink import running
from tests.fakes.worker import until
from tests.unit.discovery.docker.conftest import provider


async def test_a_cut_stream_is_resumed_where_it_was_and_everything_listed_again(engine, sink):
    engine.add(inspected(1, "one"), event=False)
    async with running(provider(engine), sink):
        await sink.until(lambda: sink.names == {"one"})
        engine.add(inspected(2, "two"))
        await sink.until(lambda: sink.names == {"one", "two"})
        engine.containers[inspected(3, "three")["Id"]] = inspected(3, "three")
        engine.cut()
        await sink.until(lambda: sink.names == {"one", "two", "three"})
    assert engine.lists == 2
    assert engine.subscribed[1] > engine.subscribed[0]
    assert sink.errors == ["the event stream ended"]


async def test_a_stream_that_fell_silent_is_noticed_by_what_it_did_not_bring(engine, sink):
    """Within 10 s; the default times are 4 s of silence, a second of the engine's clock, and 3 s for its answer."""
    engine.add(inspected(1, "one"), event=False)
    async with running(provider(engine), sink):
        await sink.until(lambda: sink.names == {"one"})
        engine.mute()
        engine.add(inspected(2, "two"))
        await sink.until(lambda: sink.names == {"one", "two"})
    assert sink.errors == ["the event stream fell silent"]
    assert engine.subscribed[1] == engine.subscribed[0]
    silence = Timing()
    assert silence.ping + 1 + silence.answer + silence.late < 10


async def test_a_stream_that_is_silent_because_nothing_happens_stays(engine, sink):
    engine.add(inspected(1, "one"), event=False)
    async with running(provider(engine), sink):
        await sink.until(lambda: sink.names == {"one"})
        engine.add(inspected(2, "two"))
        await sink.until(lambda: sink.names == {"one", "two"})
        await asyncio.to_thread(until, lambda: engine.pings >= 8, 10, "a silent stream is not looked after")
    assert len(engine.subscribed) == 1
    assert sink.errors == []


async def test_events_that_overtake_each_other_end_no_session(engine, sink):
    """The engine stamps an event before it queues it: the last one need not have the greatest stamp."""
    one = engine.add(inspected(1, "one"), event=False)
    async with running(provider(engine), sink):
        await sink.until(lambda: sink.names == {"one"})
        for ahead in (0.0, -0.01):
            engine.ahead = ahead
            engine.emit("exec_die", one)
        engine.ahead, pings = 1.0, engine.pings  # so that its present second is past both
        await asyncio.to_thread(until, lambda: engine.pings >= pings + 3, 10, "a silent stream is not looked after")
    assert sink.errors == []


DAY = 86400.0


@pytest.mark.parametrize("jump", [-DAY, DAY])
async def test_the_engines_clock_jumps_and_events_count_all_the_same(engine, sink, jump):
    one, two = engine.add(inspected(1, "one"), event=False), engine.add(inspected(2, "two"), event=False)
    async with running(provider(engine), sink):
        await sink.until(lambda: sink.names == {"one", "two"})
        engine.ahead = jump
        engine.emit("kill", one, signal="15")
        await sink.until(lambda: sink.container("one").state == "stopping")
        engine.remove(one)
        await sink.until(lambda: sink.names == {"two"})
        engine.emit("kill", two, signal="15")
        await sink.until(lambda: sink.container("two").state == "stopping")


async def test_one_that_stops_stays_out_when_it_is_looked_at_after_the_engines_clock_went_back(engine, sink):
    raw = inspected(1, "one")
    one = engine.add(raw, event=False)
    async with running(provider(engine, Timing(stopping=30.0)), sink):
        await sink.until(lambda: sink.names == {"one"})
        engine.ahead = -DAY
        engine.emit("kill", one, signal="15")
        await sink.until(lambda: sink.container("one").state == "stopping")
        raw["State"]["Health"] = {"Status": "unhealthy"}
        engine.emit("health_status: unhealthy", one)
        await sink.until(lambda: sink.container("one").health == "unhealthy")
        assert sink.container("one").state == "stopping"


async def test_one_that_was_started_anew_while_its_engine_was_away_is_back_whatever_the_clock_says(engine, sink):
    raw = inspected(1, "one")
    one = engine.add(raw, event=False)
    async with running(provider(engine, Timing(shortest=0.01, longest=0.05, stopping=30.0)), sink):
        await sink.until(lambda: sink.names == {"one"})
        engine.emit("kill", one, signal="15")
        await sink.until(lambda: sink.container("one").state == "stopping")
        engine.down()
        engine.ahead = -DAY
        raw["State"]["StartedAt"] = rfc3339(time.time() - DAY)
        engine.up()
        await sink.until(lambda: sink.container("one").state == "running")


async def test_a_clock_set_back_ends_one_session_and_not_the_next_one_too(engine, sink):
    """What the engine tells again then is in its future, and is no place to resume at."""
    one = engine.add(inspected(1, "one"), event=False)
    async with running(provider(engine), sink):
        await sink.until(lambda: sink.names == {"one"})
        engine.emit("exec_die", one)
        engine.add(inspected(2, "two"))
        await sink.until(lambda: sink.names == {"one", "two"})
        engine.ahead = -DAY
        await sink.until(lambda: bool(sink.errors))
        pings = engine.pings
        await asyncio.to_thread(until, lambda: engine.pings >= pings + 3, 10, "a silent stream is not looked after")
    assert sink.errors == ["the engine's clock went back"]


@pytest.mark.parametrize("jump", [-DAY, DAY])
async def test_a_stream_that_fell_silent_is_noticed_though_the_engines_clock_jumped(engine, sink, jump):
    engine.add(inspected(1, "one"), event=False)
    async with running(provider(engine), sink):
        await sink.until(lambda: sink.names == {"one"})
        engine.mute()
        engine.ahead = jump
        engine.add(inspected(2, "two"))
        await sink.until(lambda: sink.names == {"one", "two"})
        engine.add(inspected(3, "three"))
        await sink.until(lambda: sink.names == {"one", "two", "three"})


async def test_what_is_told_late_of_a_life_before_this_one_changes_nothing(engine, sink):
    """A start that is known already is later than the end that is told now: the engine's clock is asked, and agrees."""
    one = engine.add(inspected(1, "one"), event=False)
    async with running(provider(engine), sink):
        await sink.until(lambda: sink.names == {"one"})
        engine.ahead = -3600.0
        line = {"Type": "container", "Action": "die", "Actor": {"ID": one}, "timeNano": int((time.time() - 3600) * 10**9)}
        engine.ahead = 0.0
        engine.send(json.dumps(line).encode() + b"\n")
        engine.add(inspected(2, "two"))
        await sink.until(lambda: sink.names == {"one", "two"})
    assert all("one" in {c.name for c in listing.containers} for listing in sink.listings[1:])


async def test_an_engine_restarted_without_live_restore(engine, sink):
    """All containers end with it; those with a restart policy are there again, with another start and another address."""
    one = engine.add(inspected(1, "one"), event=False)
    engine.add(inspected(2, "two"), event=False)
    async with running(provider(engine), sink):
        await sink.until(lambda: sink.names == {"one", "two"})
        before = sink.container("one").since
        engine.down()
        engine.containers = {one: inspected(1, "one")}
        engine.containers[one]["State"]["StartedAt"] = rfc3339(time.time())
        engine.containers[one]["NetworkSettings"]["Networks"]["bridge"]["IPAddress"] = "10.0.0.99"
        engine.up()
        await sink.until(lambda: sink.names == {"one"})
        assert sink.container("one").since > before
        assert sink.container("one").address == "10.0.0.99"


async def test_absent_at_start_then_there_then_away_then_there(engine, sink):
    engine.down()
    engine.add(inspected(1, "one"), event=False)
    async with running(provider(engine), sink):
        with capture_logs() as logs:
            await sink.until(lambda: len(sink.errors) >= 3)
        assert [line["error"] for line in logs if line["log_level"] == "warning"] == ["connection refused"], "told once"
        assert sink.listings == []
        assert set(sink.errors) == {"connection refused"}
        engine.up()
        await sink.until(lambda: sink.names == {"one"})
        engine.down()
        failures = len(sink.errors)
        await sink.until(lambda: len(sink.errors) > failures)
        assert sink.names == {"one"}
        engine.add(inspected(2, "two"))
        engine.up()
        await sink.until(lambda: sink.names == {"one", "two"})


@pytest.mark.parametrize(
    ("host", "since", "longest"), [("unix:///d.sock", "1.0", 1.0), ("unix:///d.sock", None, 15.0), ("tcp://10.0.0.1:2375", "1.0", 15.0)]
)
def test_an_engine_on_this_machine_that_was_there_is_asked_every_second(host, since, longest):
    sessions = Sessions(host, TlsOptions(), Timing(), crossing=None)
    sessions._since = since
    assert sessions._longest() == longest


async def test_a_container_marked_before_a_reconnect_comes_back(engine, sink):
    one = engine.add(inspected(1, "one"), event=False)
    async with running(provider(engine), sink):
        await sink.until(lambda: sink.names == {"one"})
        engine.emit("kill", one, signal="15")
        await sink.until(lambda: sink.container("one").state == "stopping")
        engine.cut()
        await sink.until(lambda: sink.container("one").state == "running")


async def test_the_time_of_a_kill_that_stops_nothing_goes_on_from_session_to_session(engine, sink):
    one = engine.add(inspected(1, "one"), event=False)
    async with running(provider(engine, Timing(shortest=0.01, longest=0.05, stopping=1.0)), sink):
        await sink.until(lambda: sink.names == {"one"})
        engine.emit("kill", one, signal="15")
        told = time.monotonic()
        await sink.until(lambda: sink.container("one").state == "stopping")
        while sink.container("one").state == "stopping":
            assert time.monotonic() < told + 5
            shown = len(sink.listings)
            engine.cut()
            await sink.until(lambda shown=shown: len(sink.listings) > shown)  # one that is cut before it has listed knows nothing
        assert time.monotonic() >= told + 1.0


async def test_lists_again_from_time_to_time(engine, sink):
    async with running(provider(engine, Timing(relist=0.05)), sink):
        await sink.until(lambda: sink.names == set())
        raw = inspected(1, "silent")
        engine.containers[raw["Id"]] = raw
        await sink.until(lambda: sink.names == {"silent"})


@pytest.fixture
def nothing_is_collected():
    """Connections are closed explicitly, not by the garbage collector."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("nothing_is_collected")
async def test_reconnecting_leaves_no_connection_open(engine, sink):
    async with running(provider(engine), sink):
        await sink.until(lambda: sink.names == set())
        for cuts in range(1, 11):
            engine.cut()
            await sink.until(lambda cuts=cuts: len(sink.errors) == cuts and engine.lists == cuts + 1 and len(sink.listings) == cuts + 1)
        assert connections_to(engine) <= 2  # the stream's and that of the questions
    assert connections_to(engine) == 0


@pytest.mark.usefixtures("nothing_is_collected")
@pytest.mark.parametrize("path", ["/version", "/info", "/events", "/networks", "/containers/json"])
async def test_no_connection_is_open_while_it_waits_after_an_error(engine, sink, path):
    engine.refused = {path}
    async with running(provider(engine, Timing(shortest=30.0)), sink):
        await sink.until(lambda: sink.errors)
        assert connections_to(engine) == 0


def connections_to(engine):
    """How many sockets of this process have a connection to it, one that it has ended included."""
    inodes = {str(fd.readlink()) for fd in Path("/proc/self/fd").iterdir() if fd.is_symlink()}
    rows = [line.split() for line in Path("/proc/self/net/tcp").read_text().splitlines()[1:]]
    return sum(row[2].endswith(f":{engine.port:04X}") and f"socket:[{row[9]}]" in inodes for row in rows)


@pytest.mark.parametrize("told", [{}, {"ApiVersion": None}, {"ApiVersion": "4.9.3-dev"}, [], "ok", None, b"<html>"])
async def test_what_tells_no_version_of_the_api_is_told_as_no_engine(engine, sink, told):
    """As something else that listens on the port of DOCKER_HOST, and speaks JSON."""
    engine.version = told
    async with running(provider(engine), sink):
        await sink.until(lambda: sink.errors)
    assert set(sink.errors) == {"it answers, but is not a Docker Engine"}

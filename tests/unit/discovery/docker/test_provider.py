"""The docker provider against a fake engine: what it publishes, when, and through which faults."""

import asyncio
import gc
import ipaddress
import json
import threading
import time
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from haystack.discovery.docker import client as border
from haystack.discovery.docker import watch
from haystack.discovery.docker.provider import DockerProvider, Sessions, on_host_network
from haystack.discovery.docker.timing import Timing
from haystack.discovery.docker.tls import TlsOptions
from tests.fakes.engine import FakeEngine, inspected, rfc3339
from tests.fakes.sink import FakeSink, running
from tests.fakes.worker import until

FAST = Timing(shortest=0.01, longest=0.05, again=0.05, stopping=0.3, ping=0.2)


@pytest.fixture
def engine():
    with FakeEngine() as fake:
        yield fake


@pytest.fixture
def sink():
    return FakeSink()


def provider(engine, timing=FAST):
    return DockerProvider(engine.host, timing=timing)


async def test_lists_what_runs_at_the_start_and_what_starts_later(engine, sink):
    engine.add(inspected(1, "one"), event=False)
    async with running(provider(engine), sink):
        await sink.until(lambda: sink.names == {"one"})
        engine.add(inspected(2, "web-001"))
        await sink.until(lambda: sink.names == {"one", "web-001"})
    assert sink.container("web-001").services == ("web.nginx",)
    assert sink.container("one").address == "10.0.0.2"
    assert "its only network" in sink.container("one").address_reason
    assert sink.listings[-1].engine.name == "fake"
    assert "hunter2" not in repr(sink.listings)


async def test_a_list_tells_when_the_first_event_was_that_it_is_new_by(engine, sink):
    one = engine.add(inspected(1, "one"), event=False)
    async with running(provider(engine), sink):
        await sink.until(lambda: sink.names == {"one"})
        assert sink.listings[-1].told == 0.0, "nothing has happened since it is followed"
        before = time.time()
        engine.emit("die", one, exitCode="0")
        await sink.until(lambda: sink.names == set())
    (told,) = {listing.told for listing in sink.listings if listing.told}
    assert before - 1 <= told <= time.time() + 1


async def test_the_log_tells_why_a_container_is_ill_and_how_it_ended(engine, sink):
    with capture_logs() as logs:
        one = engine.add(inspected(1, "one"), event=False)
        async with running(provider(engine), sink):
            await sink.until(lambda: sink.names == {"one"})
            engine.containers[one]["State"]["Health"] = {"Status": "unhealthy", "Log": [{"Output": "no database"}]}
            engine.emit("health_status: unhealthy", one)
            await sink.until(lambda: sink.container("one").health == "unhealthy")
            engine.emit("kill", one, signal="9")
            engine.emit("oom", one)
            engine.emit("die", one, exitCode="137")
            await sink.until(lambda: sink.names == set())
    told = {line.pop("event"): line for line in logs if line["event"].startswith("container.")}
    assert told["container.unhealthy"]["output"] == "no database"
    assert (told["container.died"]["name"], told["container.died"]["exit"], told["container.died"]["signal"]) == ("one", "137", "SIGKILL")
    assert told["container.starved"]["name"] == "one"


@pytest.mark.parametrize("number", ["15", "TERM", "SIGKILL", "9", "2"])
async def test_a_stopping_signal_takes_it_out_before_it_has_gone_and_it_is_back_if_it_stays(engine, sink, number):
    one = engine.add(inspected(1, "one"), event=False)
    async with running(provider(engine), sink):
        await sink.until(lambda: sink.names == {"one"})
        engine.broken.add(one)  # nothing may be asked before it is out
        engine.emit("kill", one, signal=number)
        await sink.until(lambda: sink.container("one").state == "stopping")
        assert sink.container("one").state_reason.startswith("kill SIG")
        engine.broken.clear()
        await sink.until(lambda: sink.container("one").state == "running")


async def test_its_own_stop_signal_counts(engine, sink):
    raw = inspected(1, "one")
    raw["Config"]["StopSignal"] = "SIGWINCH"
    one = engine.add(raw, event=False)
    async with running(provider(engine), sink):
        await sink.until(lambda: sink.names == {"one"})
        engine.emit("kill", one, signal="28")
        await sink.until(lambda: sink.container("one").state == "stopping")


async def test_an_engine_tells_the_number_of_a_stop_signal_that_has_a_name(engine, sink):
    raw = inspected(1, "one")
    raw["Config"]["StopSignal"] = "SIGRTMIN+3"
    one = engine.add(raw, event=False)
    async with running(provider(engine), sink):
        await sink.until(lambda: sink.names == {"one"})
        engine.emit("kill", one, signal="37")
        await sink.until(lambda: sink.container("one").state == "stopping")
        assert sink.container("one").state_reason == "kill SIGRTMIN+3"


async def test_one_that_starts_and_is_told_to_stop_while_the_first_list_is_made_is_stopping(engine, sink, monkeypatch):
    """Its start is handled after its kill then, which counts at once."""
    read, heard = watch.events.read, []
    monkeypatch.setattr(watch.events, "read", lambda line: heard.append(line) or read(line))
    engine.lists_now.clear()
    async with running(provider(engine, Timing()), sink):
        await asyncio.to_thread(until, lambda: engine.lists == 1, 10, "nothing is listed")
        one = engine.add(inspected(1, "one"))
        engine.emit("kill", one, signal="15")
        engine.add(inspected(2, "two"))
        # the third is read: so the kill, which is the second, waits to be handled
        await asyncio.to_thread(until, lambda: len(heard) == 3, 10, "the events are not read")
        engine.lists_now.set()
        await sink.until(lambda: sink.names == {"one", "two"})
        engine.add(inspected(3, "three"))
        await sink.until(lambda: sink.names == {"one", "two", "three"})
    assert {c.state for listing in sink.listings for c in listing.containers if c.name == "one"} == {"stopping"}


async def test_an_event_while_everything_is_listed_again_waits_for_nobody(engine, sink):
    first, second = engine.add(inspected(1, "first"), event=False), engine.add(inspected(2, "second"), event=False)
    async with running(provider(engine, Timing(relist=0.1, answer=30.0)), sink):
        await sink.until(lambda: sink.names == {"first", "second"})
        engine.hanging = {first}
        await asyncio.to_thread(until, lambda: first in engine.held, 10, "it is not listed again")
        lists = engine.lists
        engine.add(inspected(3, "new"))
        engine.hanging = {second}  # so the list goes on, but not to its end
        await sink.until(lambda: "new" in sink.names)
        shown = len(sink.listings)
        engine.hanging = set()
        await asyncio.to_thread(until, lambda: engine.lists > lists, 10, "it is not listed again")
        await sink.until(lambda: len(sink.listings) > shown)
    assert all("new" in {c.name for c in listing.containers} for listing in sink.listings[shown:])


@pytest.mark.parametrize("signal", ["1", "HUP", "10", "USR2", "28", ""])
async def test_other_signals_change_nothing(engine, sink, signal):
    one = engine.add(inspected(1, "one"), event=False)
    async with running(provider(engine), sink):
        await sink.until(lambda: sink.names == {"one"})
        engine.emit("kill", one, signal=signal)
        engine.add(inspected(2, "two"))
        await sink.until(lambda: sink.names == {"one", "two"})
        assert {c.state for listing in sink.listings for c in listing.containers} == {"running"}


async def test_pause_unpause_rename_health_and_die(engine, sink):
    raw = inspected(1, "one")
    one = engine.add(raw, event=False)
    async with running(provider(engine), sink):
        await sink.until(lambda: sink.names == {"one"})
        before = time.time()
        engine.emit("pause", one)
        await sink.until(lambda: sink.container("one").state == "paused")
        assert sink.container("one").since >= before
        engine.emit("unpause", one)
        await sink.until(lambda: sink.container("one").state == "running")
        raw["State"]["Health"] = {"Status": "unhealthy"}
        engine.emit("health_status: unhealthy", one)
        await sink.until(lambda: sink.container("one").health == "unhealthy")
        raw["Name"] = "/uno"
        engine.emit("rename", one)
        await sink.until(lambda: sink.names == {"uno"})
        engine.remove(one)
        await sink.until(lambda: sink.names == set())


async def test_a_network_event_looks_at_the_container_again(engine, sink):
    raw = inspected(1, "one")
    one = engine.add(raw, event=False)
    async with running(provider(engine), sink):
        await sink.until(lambda: sink.names == {"one"})
        engine.networks.append({"Id": "f" * 64, "Name": "app", "Scope": "swarm", "Driver": "overlay", "IPAM": None})
        raw["NetworkSettings"]["Networks"]["app"] = {"NetworkID": "f" * 64, "IPAddress": "10.9.0.1"}
        engine.emit("connect", "f" * 64, kind="network", container=one)
        await sink.until(lambda: sink.container("one").address == "10.9.0.1")
    assert sink.container("one").address_reason == "network app: swarm scope before local"
    assert {n.name for n in sink.listings[-1].networks} == {"bridge", "app"}


async def test_gone_between_event_and_inspection_costs_nobody_else(engine, sink):
    two = inspected(2, "two")
    engine.missing.add(two["Id"])
    engine.add(two, event=False)
    engine.add(inspected(1, "one"), event=False)
    async with running(provider(engine), sink):
        await sink.until(lambda: sink.names == {"one"})
        engine.emit("start", two["Id"])
        engine.add(inspected(3, "three"))
        await sink.until(lambda: sink.names == {"one", "three"})
    assert sink.errors == []


async def test_an_inspection_that_fails_is_repeated(engine, sink):
    one = engine.add(inspected(1, "one"), event=False)
    engine.broken.add(one)
    async with running(provider(engine), sink):
        await sink.until(lambda: sink.names == set())
        engine.broken.clear()
        await sink.until(lambda: sink.names == {"one"})
    assert sink.errors == []


async def test_an_inspection_that_fails_again_and_again_is_repeated_less_and_less_often(engine, sink):
    engine.broken.add(engine.add(inspected(1, "one"), event=False))
    before = time.monotonic()
    with capture_logs() as logs:
        async with running(provider(engine), sink):
            await asyncio.to_thread(
                until, lambda: [line["event"] for line in logs].count("container.inspect_failed") >= 4, 10, "it gave up"
            )
    assert time.monotonic() - before >= FAST.again * (1 + 2 + 4)


async def test_an_inspection_that_hangs_hides_nobody_else(engine, sink):
    one = engine.add(inspected(1, "one"), event=False)
    engine.add(inspected(2, "two"), event=False)
    engine.hanging.add(one)
    async with running(provider(engine, Timing(again=0.05, answer=0.5)), sink):
        await sink.until(lambda: sink.names == {"two"})
        engine.hanging.clear()
        await sink.until(lambda: sink.names == {"one", "two"})
    assert sink.errors == []


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


async def test_a_label_may_hold_any_character(engine, sink):
    """U+0085 ends a line for Unicode, and is no control character for JSON."""
    one = engine.add(inspected(1, "one"), event=False)
    async with running(provider(engine), sink):
        await sink.until(lambda: sink.names == {"one"})
        now = time.time_ns()
        line = {"Type": "container", "Action": "exec_die", "Actor": {"ID": one, "Attributes": {"note": "a\x85b"}}, "timeNano": now}
        engine.send(json.dumps(line, ensure_ascii=False).encode() + b"\n", now)
        engine.ahead, pings = 1.0, engine.pings  # so that the event is before its present second
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


async def test_how_a_container_ended_is_kept_for_the_shell(engine, sink):
    one = engine.add(inspected(1, "one"), event=False)
    engine.containers[one]["State"]["Health"] = {"Status": "healthy", "Log": [{"Output": "\n  fine\x1b[2J  so far\nsecond line"}]}
    async with running(provider(engine), sink):
        await sink.until(lambda: sink.names == {"one"})
        engine.containers[one]["State"] |= {"Status": "exited", "Running": False, "OOMKilled": True}
        engine.emit("die", one, exitCode="137")
        await sink.until(lambda: sink.names == set())
        await sink.until(lambda: sink.listings[-1].departures[0].oom)
    (departure,) = sink.listings[-1].departures
    assert (departure.exit, departure.container.name, departure.container.address) == ("137", "one", "10.0.0.2")
    assert departure.container.health_output == "fine\x1b[2J so far"


async def test_memory_that_ran_out_may_be_told_after_the_end_and_many_times(engine, sink):
    one = engine.add(inspected(1, "one"), event=False)
    with capture_logs() as logs:
        async with running(provider(engine), sink):
            await sink.until(lambda: sink.names == {"one"})
            engine.containers.pop(one)
            engine.emit("die", one, exitCode="137")
            for _ in range(3):
                engine.emit("oom", one)
            await sink.until(lambda: sink.listings[-1].departures and sink.listings[-1].departures[0].oom)
    assert [line["name"] for line in logs if line["event"] == "container.starved"] == ["one"]


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


@pytest.mark.parametrize(
    "line", [b"{}\n", b"[]\n", b'{"Type":null,"Action":7,"Actor":[]}\n', b'{"Type":"container","Action":"start"}\n', b"null\n"]
)
async def test_odd_events_are_passed_over(engine, sink, line):
    async with running(provider(engine), sink):
        await sink.until(lambda: sink.names == set())
        engine.send(line)
        engine.add(inspected(1, "one"))
        await sink.until(lambda: sink.names == {"one"})
    assert sink.errors == []


@pytest.mark.parametrize(
    "line",
    [
        b'{"Type":"container",\n',
        b"\xff\xfe\x00\n",
        b"<html>502 Bad Gateway</html>\n",
        b'{"Type":"container","Action":"start"}}\n',
        b"[" * 100_000 + b"\n",
        b'{"Type":"container","Action":"exec_die","timeNano":' + b"9" * 5000 + b"}\n",
        b'{"Type":"container","Action":"die","Actor":{"ID":"aa"},"timeNano":' + b"9" * 400 + b"}\n",
        b'{"Type":"container","Action":"start","Actor":{"ID":"\\ud800"}}\n',
        b"x" * (5 << 20) + b"\n",
    ],
    ids=["cut", "bytes", "html", "brace", "deep", "long-number", "late", "surrogate", "long"],
)
async def test_a_malformed_line_costs_itself_alone(engine, sink, line):
    """Nothing helps it on here: the stream is not asked about while it is silent."""
    async with running(provider(engine, Timing(ping=60.0)), sink):
        await sink.until(lambda: sink.names == set())
        engine.send(line)
        engine.add(inspected(1, "one"))
        await sink.until(lambda: sink.names == {"one"})
    assert sink.errors == []
    assert len(engine.subscribed) == 1


async def test_a_malformed_line_among_what_was_missed_ends_no_session(engine, sink):
    async with running(provider(engine), sink):
        await sink.until(lambda: sink.names == set())
        engine.send(b'{"Type":"container",\n')
        engine.ahead, pings = 1.0, engine.pings  # so that it is before the engine's present second
        await asyncio.to_thread(until, lambda: engine.pings >= pings + 3, 10, "a silent stream is not looked after")
    assert sink.errors == []


@pytest.mark.parametrize("field", ["State", "Config", "HostConfig", "NetworkSettings", "Name", "Image", "Created"])
@pytest.mark.parametrize("value", [None, [], 7, "odd", {"Networks": None, "Labels": None, "ExposedPorts": None, "Status": "running"}])
async def test_null_and_odd_fields_cost_no_other_container(engine, sink, field, value):
    engine.add(inspected(1, "odd", **{field: value}), event=False)
    engine.add(inspected(2, "good"), event=False)
    async with running(provider(engine), sink):
        await sink.until(lambda: bool(sink.listings))
    assert sink.container("good").address == "10.0.0.3"


async def test_a_bare_image_id_goes_by_a_tag_of_its_image(engine, sink):
    engine.images["sha256:" + "c" * 64] = {"RepoTags": ["registry.example:5000/shop/Web:1.2"]}
    engine.add(inspected(1, "one", image="cccccccccccc"), event=False)
    async with running(provider(engine), sink):
        await sink.until(lambda: sink.names == {"one"})
    assert sink.container("one").services == ("web",)


async def test_haystack_itself_is_left_out(engine, sink):
    raw = inspected(1, "me", image="haystack")
    raw["Config"]["Labels"] = {"haystack.itself": "true"}
    engine.add(raw, event=False)
    engine.add(inspected(2, "other"), event=False)
    async with running(provider(engine), sink):
        await sink.until(lambda: sink.names == {"other"})


async def test_a_network_that_is_made_later_may_be_one_that_haystack_is_on(engine, sink, monkeypatch):
    monkeypatch.setattr("haystack.discovery.own_place.container_id", str)
    monkeypatch.setattr("haystack.discovery.own_place.addresses", lambda: tuple(here))
    here = []
    raw = inspected(1, "one")
    raw["NetworkSettings"]["Networks"] = {"app": {"NetworkID": "a" * 64, "IPAddress": "10.8.0.2"}}
    one = engine.add(raw, event=False)
    async with running(provider(engine), sink):
        await sink.until(lambda: sink.container("one") and sink.container("one").network == "app")
        here.append(ipaddress.ip_address("10.9.0.1"))  # the bridge's own, on this machine
        engine.networks.append({"Id": "f" * 64, "Name": "made", "Driver": "bridge", "IPAM": {"Config": [{"Subnet": "10.9.0.0/24"}]}})
        raw["NetworkSettings"]["Networks"]["made"] = {"NetworkID": "f" * 64, "IPAddress": "10.9.0.2"}
        engine.emit("connect", "f" * 64, kind="network", container=one)
        await sink.until(lambda: sink.container("one").network == "made")


async def test_haystacks_own_addresses_are_read_after_the_networks_have_been_listed(engine, sink, monkeypatch):
    """A network that is created during the request is in the list, so Haystack's address on it has to be known by then."""
    real, here = border.listed, []

    def listed(client, path, *rest):
        yield from real(client, path, *rest)
        if path == "/networks":
            here.append(ipaddress.ip_address("10.9.0.1"))

    monkeypatch.setattr("haystack.discovery.own_place.container_id", str)
    monkeypatch.setattr("haystack.discovery.own_place.addresses", lambda: tuple(here))
    monkeypatch.setattr(border, "listed", listed)
    engine.networks.append({"Id": "f" * 64, "Name": "made", "Driver": "bridge", "IPAM": {"Config": [{"Subnet": "10.9.0.0/24"}]}})
    raw = inspected(1, "one")
    raw["NetworkSettings"]["Networks"] = {
        "app": {"NetworkID": "a" * 64, "IPAddress": "10.8.0.2"},
        "made": {"NetworkID": "f" * 64, "IPAddress": "10.9.0.2"},
    }
    engine.add(raw, event=False)
    async with running(provider(engine), sink):
        await sink.until(lambda: sink.container("one"))
        assert sink.container("one").network == "made"


def test_on_its_engines_network_haystack_is_not_behind_a_gateway(engine):
    me = inspected(1, "me")
    me["HostConfig"]["NetworkMode"] = "host"
    engine.add(me)
    other = engine.add(inspected(2, "other"))
    client = border.connect(engine.host, None)
    assert [on_host_network(client, identity, 5.0) for identity in (me["Id"], other, "f" * 64)] == [True, False, False]
    client.close()


@pytest.mark.parametrize(("mode", "answer"), [("host", True), ("default", False), ("container:me", False)])
def test_so_it_is_on_the_network_of_one_that_is_on_its_engines(engine, mode, answer):
    client = border.connect(engine.host, None)
    main = inspected(2, "main", HostConfig={"NetworkMode": mode})
    me = inspected(1, "me", HostConfig={"NetworkMode": f"container:{main['Id']}"})
    engine.add(main, event=False)
    engine.add(me, event=False)
    if mode == "container:me":
        main["HostConfig"]["NetworkMode"] = f"container:{me['Id']}"
    assert on_host_network(client, me["Id"], 5.0) is answer
    client.close()


async def test_a_thousand_containers(engine, sink):
    for number in range(1000):
        engine.add(inspected(number, f"web-{number}"), event=False)
    async with running(provider(engine), sink):
        await sink.until(lambda: bool(sink.listings), timeout=50)
        assert len(sink.names) == 1000
        for number in range(1000, 1100):
            engine.add(inspected(number, f"web-{number}"))
        await sink.until(lambda: len(sink.names) == 1100, timeout=30)


async def test_ends_at_once_and_leaves_no_thread(engine, sink):
    async with running(provider(engine), sink):
        await sink.until(lambda: sink.names == set())
        before = time.monotonic()
    assert time.monotonic() - before < 1
    await asyncio.sleep(0)
    assert not [t for t in threading.enumerate() if t.name.startswith(("haystack-docker", "haystack-events"))]


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

"""The docker provider against a fake engine: what it publishes, when, and through which faults."""

import asyncio
import ipaddress
import json
import threading
import time

import pytest
from structlog.testing import capture_logs

from haystack.discovery.docker import client as border
from haystack.discovery.docker import watch
from haystack.discovery.docker.provider import on_host_network
from haystack.discovery.docker.timing import Timing
from tests.fakes.engine import inspected
from tests.fakes.sink import running
from tests.fakes.worker import until
from tests.unit.discovery.docker.conftest import FAST, provider


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
            await sink.until(lambda: sink.container("one").health_output == "no database")
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


async def test_an_engine_that_can_no_longer_list_its_networks_costs_no_container_that_comes(engine, sink):
    """GET /networks fails where a plugin or the store of networks does: what was known of them stays, and all else goes on."""
    engine.add(inspected(1, "one"), event=False)
    with capture_logs() as lines:
        async with running(provider(engine), sink):
            await sink.until(lambda: sink.names == {"one"})
            known = sink.listings[-1].networks
            engine.refused = {"/networks"}
            for number in (2, 3):
                identity = engine.add(inspected(number, f"more{number}"))
                engine.emit("connect", "a" * 64, kind="network", container=identity)
            await sink.until(lambda: sink.names == {"one", "more2", "more3"})
            await asyncio.to_thread(until, lambda: "networks.untold" in [line["event"] for line in lines], 10, "it is not told")
            assert known
            assert sink.listings[-1].networks == known
            assert sink.errors == []
            engine.refused = set()
            engine.networks.append({"Id": "f" * 64, "Name": "made", "Driver": "bridge", "IPAM": {"Config": None}})
            engine.emit("create", "f" * 64, kind="network")
            await sink.until(lambda: "made" in {network.name for network in sink.listings[-1].networks})
    assert len([line for line in lines if line["event"] == "networks.untold"]) == 1


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


async def test_a_network_that_is_made_while_a_list_comes_is_not_forgotten_with_it(engine, sink):
    """The list's networks were asked for before."""

    def known(listing):
        return {network.name for network in listing.networks}

    engine.add(inspected(1, "one"), event=False)
    async with running(provider(engine, Timing(relist=0.1)), sink):
        await sink.until(lambda: sink.names == {"one"})
        engine.lists_now.clear()
        lists = engine.lists
        await asyncio.to_thread(until, lambda: engine.lists > lists, 10, "it is not listed again")
        engine.networks.append({"Id": "f" * 64, "Name": "made", "Driver": "bridge", "IPAM": {"Config": None}})
        engine.emit("create", "f" * 64, kind="network")
        await sink.until(lambda: "made" in known(sink.listings[-1]))
        shown = len(sink.listings)
        engine.add(inspected(2, "two"), event=False)
        engine.lists_now.set()
        await sink.until(lambda: sink.names == {"one", "two"})
    assert all("made" in known(listing) for listing in sink.listings[shown:])


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
    assert time.monotonic() - before < 3  # some hundredths on a quiet machine; a stream that is waited for would take four
    await asyncio.sleep(0)
    assert not [t for t in threading.enumerate() if t.name.startswith(("haystack-docker", "haystack-events", "haystack-ask"))]

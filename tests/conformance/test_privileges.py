"""Who of Haystack's processes may what: discovery alone speaks to engines, with GETs alone, and no secret is in what /proc shows."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.client import Client
from tests.fakes.engine import FakeEngine, inspected
from tests.fakes.pki import Authority
from tests.fakes.processes import called, children
from tests.fakes.socket_proxy import KINDS, OF_MANAGERS, SocketProxy, listed
from tests.fakes.swarm import FakeSwarm, ident
from tests.fakes.worker import Haystack, halt, until, wake

LIMIT = 20.0
KEY = "DOCKER_KEY"
EAB = "kid-1:zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"
# what Python runs first: half a minute of silence is two seconds
IMPATIENT = """
import importlib.abc, sys
class Impatient(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "haystack.app":
            from haystack.discovery.apart import outbox, remote
            outbox.BEAT_SECONDS, remote.LOOK = 0.2, 0.07
sys.meta_path.insert(0, Impatient())
"""
root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can look into these processes")


@pytest.fixture
def engine() -> Iterator[FakeEngine]:
    with FakeEngine() as made:
        made.add(inspected(1, "web-1"), event=False)
        yield made


def watching(host: str, **more: str) -> Haystack:
    return Haystack([], HAYSTACK_STATIC="", DOCKER_HOST=host, **more)


def processes(haystack: Haystack) -> dict[str, int]:
    """Its processes by their names."""
    found = {"control": haystack.process.pid}
    for pid in children(haystack.process.pid):
        found |= {called(pid): pid} | {called(below): below for below in children(pid)}
    return found


def names(haystack: Haystack) -> set[str]:
    with Client(haystack.port) as client:
        return {each["name"] for each in json.loads(client.get("localhost", "/api/containers").body).values()}


def test_a_proxy_that_lets_the_documented_calls_through_is_enough(engine: FakeEngine) -> None:
    with SocketProxy(engine.host) as proxy, watching(proxy.host) as haystack:
        until(lambda: names(haystack) == {"web-1"}, LIMIT, "it was not listed")
        raw = inspected(2, "bare", image="sha256:" + "c" * 64)
        engine.add(raw)
        until(lambda: names(haystack) == {"web-1", "bare"}, LIMIT, "what started later is not listed")
        until(lambda: any(path == "/_ping" for _, path, _ in proxy.asked), LIMIT, "a silent engine is not asked whether it is there")
        asked, refused = list(proxy.asked), proxy.refused
    assert refused == []
    assert_listed(asked, listed(), listed())


def test_a_proxy_that_lets_the_documented_calls_through_is_enough_for_a_manager_of_a_swarm() -> None:
    with FakeSwarm() as manager:
        manager.add_task(1, manager.add_service(1, "shop"), node=manager.add_node(2, "n2", "10.77.0.3"))
        task = f"shop.1.{ident('task', 1)}"
        with SocketProxy(manager.host, (*KINDS, *OF_MANAGERS)) as proxy, watching(proxy.host) as haystack:
            until(lambda: names(haystack) == {task}, LIMIT, "the task is not listed")
            asked, refused = list(proxy.asked), proxy.refused
        assert refused == []
        assert_listed(asked, listed("manager of a Swarm"), listed() | listed("manager of a Swarm"))


def assert_listed(asked: list[tuple[str, str, bool]], made: set[str], allowed: set[str]) -> None:
    """All that was asked is allowed, and all of these calls were made."""
    assert {method for method, _, _ in asked} == {"GET"}
    assert sorted({path for _, path, _ in asked if not any(re.fullmatch(p, path) for p in allowed)}) == []
    assert [p for p in made if not any(re.fullmatch(p, path) for _, path, _ in asked)] == []


def test_a_proxy_that_refuses_the_calls_of_a_swarm_costs_the_swarm_alone() -> None:
    with FakeSwarm() as manager:
        manager.add(inspected(1, "web-1"), event=False)
        manager.add_task(2, manager.add_service(1, "shop"))
        with SocketProxy(manager.host) as proxy, watching(proxy.host) as haystack:
            told = haystack.wait("swarm.refused")
            until(lambda: names(haystack) == {"web-1"}, LIMIT, "it was not listed")
    assert "SERVICES=1" in told["hint"]


def test_only_discovery_has_connections_to_the_engine(engine: FakeEngine) -> None:
    port = int(engine.host.rpartition(":")[2])
    with watching(engine.host) as haystack:
        until(lambda: names(haystack) == {"web-1"}, LIMIT, "it was not listed")
        found = processes(haystack)
        assert {"control", "haystack-keeper", "haystack-finder", "haystack-worker"} <= found.keys()
        with Client(haystack.port) as client:
            page = client.get("localhost", "/metrics").body.decode()
        assert 'process_resident_memory_bytes{process="discovery"}' in page
        assert [name for name, pid in found.items() if connected(pid, port)] == ["haystack-finder"]


def connected(pid: int, port: int) -> bool:
    """Whether a process has a connection to this port of 127.0.0.1."""
    held = {str(each.readlink())[8:-1] for each in Path(f"/proc/{pid}/fd").iterdir() if os.path.lexists(each)}
    rows = (line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:])
    return any(row[2] == f"0100007F:{port:04X}" and row[9] in held for row in rows)


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGSEGV])
def test_a_discovery_process_that_dies_is_replaced_and_what_was_listed_is_served(engine: FakeEngine, end: signal.Signals) -> None:
    with watching(engine.host) as haystack:
        until(lambda: names(haystack) == {"web-1"}, LIMIT, "it was not listed")
        first = processes(haystack)["haystack-finder"]
        os.kill(first, end)
        haystack.wait("discovery.ended")
        assert names(haystack) == {"web-1"}
        engine.add(inspected(2, "late"))
        until(lambda: names(haystack) == {"web-1", "late"}, LIMIT, "nobody looks any more")
        assert processes(haystack)["haystack-finder"] != first


@pytest.mark.parametrize("stopped", [(), ("haystack-finder",), ("haystack-keeper",), ("haystack-keeper", "haystack-finder")])
def test_all_of_them_end_with_the_control_process_however_it_ends(engine: FakeEngine, stopped: tuple[str, ...]) -> None:
    """One that is stopped did not see its channel end, and stayed for ever; a worker kept the ports too."""
    with watching(engine.host) as haystack:
        until(lambda: names(haystack) == {"web-1"} and "haystack-spare" in processes(haystack), LIMIT, "it was not listed")
        found = processes(haystack)
        pids = [pid for name, pid in found.items() if name != "control"]
        for name in (*stopped, *(("haystack-worker", "haystack-spare") if stopped else ())):
            halt(found[name])
        haystack.process.kill()
        try:
            until(lambda: not any(alive(pid) for pid in pids), LIMIT, lambda: f"left: {[n for n, pid in found.items() if alive(pid)]}")
        finally:
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        haystack.killed()


def test_without_a_keeper_haystack_ends_and_says_why(engine: FakeEngine) -> None:
    """A new start has a new one. Nothing could start discovery again, and nobody heard of a container any more."""
    with watching(engine.host) as haystack:
        until(lambda: names(haystack) == {"web-1"}, LIMIT, "it was not listed")
        found = processes(haystack)
        halt(found["haystack-finder"])
        os.kill(found["haystack-keeper"], signal.SIGKILL)
        assert haystack.killed() == 1
        assert haystack.lines[-1]["text"] == "haystack: engines can't be watched any more: the keeper has ended (Broken pipe)"
        assert "discovery.lost" in {line["event"] for line in haystack.lines}
        assert not any(alive(pid) for pid in found.values())


def test_a_discovery_process_that_is_stopped_is_replaced_and_ended(engine: FakeEngine, tmp_path: Path) -> None:
    """Its channel stays open: lists stayed what they were, and nothing told of it."""
    (tmp_path / "sitecustomize.py").write_text(IMPATIENT)
    with watching(engine.host, PYTHONPATH=str(tmp_path)) as haystack:
        until(lambda: names(haystack) == {"web-1"}, LIMIT, "it was not listed")
        first = processes(haystack)["haystack-finder"]
        halt(first)
        engine.add(inspected(2, "late"))
        until(lambda: names(haystack) == {"web-1", "late"}, LIMIT, "nobody looks any more")
        assert "it has said nothing" in haystack.wait("discovery.ended")["error"]
        assert not alive(first)


def test_a_control_process_that_was_stopped_goes_on_with_the_same_processes(engine: FakeEngine) -> None:
    with watching(engine.host) as haystack:
        until(lambda: names(haystack) == {"web-1"} and "haystack-spare" in processes(haystack), LIMIT, "it was not listed")
        before = processes(haystack)
        halt(haystack.process.pid)
        try:
            engine.add(inspected(2, "late"))
        finally:
            wake(haystack.process.pid)
        until(lambda: names(haystack) == {"web-1", "late"}, LIMIT, "nobody looks any more")
        assert processes(haystack) == before


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@root
def test_what_watches_an_engine_has_one_capability_at_most(engine: FakeEngine) -> None:
    with watching(engine.host) as haystack:
        found = processes(haystack)
        for name in ("haystack-keeper", "haystack-finder"):
            status = dict(line.split(":\t", 1) for line in Path(f"/proc/{found[name]}/status").read_text().splitlines())
            assert int(status["CapEff"], 16) | int(status["CapPrm"], 16) | int(status["CapInh"], 16) in (0, 1 << 1)
            assert status["NoNewPrivs"] == "1"


@root
def test_no_secret_is_in_proc(engine: FakeEngine, tmp_path: Path) -> None:
    """Neither in the environment nor in the command line of any of them, the control process's own too."""
    certificate, key = (text.decode() for text in Authority(tmp_path).issue("client"))
    secrets = {KEY: key, "DOCKER_CERT": certificate, "HAYSTACK_ACME_EAB": EAB, "OTEL_EXPORTER_OTLP_HEADERS": "authorization=s3cret"}
    made = watching(engine.host, **secrets, AWS_SECRET_ACCESS_KEY="s3cret", HTTPS_PROXY="http://me:s3cret@127.0.0.1:9")
    made._readyz = lambda: 200  # type: ignore[method-assign] # with a key it wants TLS, which this engine does not speak
    with made as haystack:
        until(lambda: "haystack-spare" in processes(haystack), LIMIT, "no spare")
        for name, pid in processes(haystack).items():
            told = Path(f"/proc/{pid}/environ").read_bytes() + Path(f"/proc/{pid}/cmdline").read_bytes()
            assert [word for word in (b"PRIVATE KEY", b"s3cret", EAB.encode()) if word in told] == [], name
            assert b"PATH=/" in Path(f"/proc/{pid}/environ").read_bytes(), "what is no secret stays"

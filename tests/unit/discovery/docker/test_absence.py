"""An engine that does not answer: told at once, again each minute, and with what to do."""

import errno
import os
import socket
from contextlib import closing
from types import SimpleNamespace

import pytest
from docker.errors import APIError
from requests import exceptions
from structlog.testing import capture_logs
from urllib3.exceptions import ProtocolError

from haystack.discovery import own_place
from haystack.discovery.docker import advice, client
from haystack.discovery.docker.provider import DockerProvider
from haystack.discovery.docker.timing import Timing
from haystack.settings.settings import load
from haystack.startup import engines
from tests.fakes.engine import FakeEngine
from tests.fakes.ports import free_port
from tests.fakes.sink import FakeSink, running
from tests.fakes.socket_proxy import SocketProxy


def refused(number):
    return OSError(number, os.strerror(number))


async def test_an_engine_that_stays_away_is_told_of_again_with_what_to_do():
    """Each minute; the tries between are too many for a log."""
    assert Timing().remind == 60.0
    sink = FakeSink()
    host = f"tcp://127.0.0.1:{free_port()}"
    provider = DockerProvider(host, timing=Timing(shortest=0.01, longest=0.02, remind=0.3))
    with capture_logs() as logged:
        async with running(provider, sink):
            await sink.until(lambda: sum(line["log_level"] == "warning" for line in logged) > 2)
    told = [line for line in logged if line["log_level"] == "warning"][:3]
    assert [line["event"] for line in told] == ["engine.retry"] * 3
    assert [line["away"] is not None for line in told] == [False, True, True]
    assert {line["hint"] for line in told} == {advice.hint(host, refused(errno.ECONNREFUSED))}
    assert any(line["log_level"] == "debug" for line in logged)


@pytest.mark.parametrize(
    ("host", "number", "inside", "said"),
    [
        ("tcp://127.0.0.1:2375", errno.ECONNREFUSED, True, "127.0.0.1 is this container itself: mount the engine's socket"),
        ("tcp://localhost:2375", errno.ECONNREFUSED, True, "or name its machine, as in tcp://"),
        ("tcp://127.0.0.1:2375", errno.ECONNREFUSED, False, "nothing listens on that port"),
        ("tcp://10.0.0.1:2375", errno.ECONNREFUSED, True, "nothing listens on that port"),
        ("tcp://10.0.0.1:2375", errno.EHOSTUNREACH, True, "no answer from that address"),
        ("tcp://engine:2375", socket.EAI_NONAME, True, "no address is known for engine"),
        ("unix:///nowhere/docker.sock", errno.ENOENT, True, "docker run -v /var/run/docker.sock:/var/run/docker.sock"),
        ("unix:///nowhere/docker.sock", errno.ENOENT, False, "start Docker"),
        ("unix:///nowhere/docker.sock", errno.ECONNREFUSED, True, "restart this container"),
        ("unix:///nowhere/docker.sock", errno.ECONNREFUSED, False, "start Docker"),
        ("unix:///", errno.ECONNREFUSED, True, "it is a folder"),
        ("tcp://10.0.0.1:2375", errno.EPIPE, True, ""),
    ],
)
def test_each_kind_of_failure_has_its_own_advice(host, number, inside, said):
    told = advice.hint(host, refused(number), inside)
    assert said in told
    assert bool(said) == bool(told)


@pytest.mark.parametrize(
    ("user", "inside", "said"),
    [(0, True, "label=disable"), (1000, True, "docker run --group-add {gid}"), (1000, False, "sudo usermod -aG")],
)
def test_a_denied_socket_says_which_group(user, inside, said, monkeypatch, tmp_path):
    path = tmp_path / "docker.sock"
    with closing(socket.socket(socket.AF_UNIX)) as engine:
        engine.bind(str(path))
        monkeypatch.setattr(advice.os, "geteuid", lambda: user)
        assert said.format(gid=path.stat().st_gid) in advice.hint(f"unix://{path}", refused(errno.EACCES), inside)


@pytest.mark.parametrize(
    ("path", "switch"), [("/info", "INFO"), ("/events", "EVENTS"), ("/containers/json", "CONTAINERS"), ("/_ping", "PING")]
)
def test_a_socket_proxy_that_refuses_a_call_is_told_which(path, switch):
    with FakeEngine() as engine, SocketProxy(engine.host, {"version"}) as proxy, closing(client.connect(proxy.host, None)) as asking:
        with pytest.raises(APIError) as refusal:
            client.asked(asking, path, 5.0)
        assert advice.hint(proxy.host, refusal.value) == (
            f"a socket proxy, or a plugin of the engine, refuses GET {path}: let it through (docker-socket-proxy: {switch}=1)"
        )


def test_check_tells_it_too():
    host = f"tcp://127.0.0.1:{free_port()}"
    advised = advice.hint(host, refused(errno.ECONNREFUSED))
    assert advised
    assert engines.trouble(load({"docker_host": host}), host) == f"connection refused; {advised}"


def test_the_reason_is_found_within_all_that_wraps_it():
    """As docker's client raises it for a unix socket: a tuple within an error within an error."""
    wrapped = exceptions.ConnectionError(ProtocolError("Connection aborted.", refused(errno.ENOENT)))
    assert "-v /var/run/docker.sock" in advice.hint("unix:///nowhere/docker.sock", wrapped, inside=True)


def test_a_container_is_known_by_its_files(monkeypatch):
    monkeypatch.setattr(own_place, "container_id", lambda: "1" * 64)
    assert advice.in_container()
    monkeypatch.setattr(own_place, "container_id", lambda: "")
    monkeypatch.setattr(advice, "Path", lambda _path: SimpleNamespace(exists=lambda: False))
    assert not advice.in_container()

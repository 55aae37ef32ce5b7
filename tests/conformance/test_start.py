"""The first moments: who asks before it is known what there is waits, or is told to ask again; no name is denied for being early."""

from __future__ import annotations

import re
import shlex
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import dns.message
import dns.query
import dns.rcode
import pytest

from haystack import __version__
from tests.fakes.client import Client
from tests.fakes.engine import FakeEngine, inspected
from tests.fakes.origin import Loop, Origin, respond
from tests.fakes.ports import free_port
from tests.fakes.worker import Haystack, Member, host, until

LIMIT = 30.0


@pytest.fixture
def engine(origin: Origin) -> Iterator[FakeEngine]:
    """One that lists a container behind the name `late`, as soon as it is told to list at all."""
    with FakeEngine() as made:
        raw = inspected(1, "late", "late")
        raw["Config"] |= {"Labels": {"haystack.port": str(origin.port)}}
        raw["NetworkSettings"]["Networks"]["bridge"]["IPAddress"] = "127.0.0.1"
        made.add(raw, event=False)
        made.lists_now.clear()
        yield made
        made.lists_now.set()


@contextmanager
def waiting(engine: FakeEngine, *others: FakeEngine) -> Iterator[tuple[Haystack, int, int]]:
    """A Haystack whose list of `engine` is held back, and its ports of HTTP and DNS; at the end it may go on and must get ready."""
    http, names = free_port(), free_port()
    hosts = ",".join(each.host for each in (*others, engine))
    settings = {"HAYSTACK_STATIC": "", "DOCKER_HOST": hosts, "HAYSTACK_HTTP_PORT": str(http), "HAYSTACK_DNS_PORT": str(names)}
    haystack = Haystack([], **settings)
    try:
        until(lambda: engine.lists > 0, LIMIT, "the engine was not asked")
        yield haystack, http, names
    finally:
        engine.lists_now.set()
        with haystack:
            pass


def test_requests_before_the_first_list_wait_for_it(engine: FakeEngine) -> None:
    """A restart of Haystack must not tell clients that their services do not exist (404)."""
    with waiting(engine) as (haystack, port, _), Client(port, LIMIT) as client:
        client.send(f"GET / HTTP/1.1\r\nHost: {host('late')}\r\n\r\n".encode())
        until(lambda: len(haystack.workers()) == 1, LIMIT, "no worker")
        engine.lists_now.set()
        assert client.response().status == 200


def test_every_engine_is_waited_for(engine: FakeEngine) -> None:
    """What one of them has is not denied because another one has told."""
    with FakeEngine() as quick, waiting(engine, quick) as (haystack, http, names), Client(http, LIMIT) as client:
        client.send(f"GET / HTTP/1.1\r\nHost: {host('late')}\r\n\r\n".encode())
        haystack.wait("source.listed")
        assert ask(names, host("late")).rcode() == dns.rcode.SERVFAIL
        engine.lists_now.set()
        assert client.response().status == 200
        until(lambda: ask(names, host("never")).rcode() == dns.rcode.NXDOMAIN, LIMIT, "nothing is ever denied")


def test_a_name_that_is_not_known_yet_is_no_nxdomain(engine: FakeEngine) -> None:
    """RFC 2308, section 2: that answer would be kept. SERVFAIL has clients ask again, or another server."""
    with waiting(engine) as (_, _, names):
        assert ask(names, host("late")).rcode() == dns.rcode.SERVFAIL
        assert ask(names, "1.0.0.10.in-addr.arpa", "PTR").rcode() == dns.rcode.SERVFAIL
        assert ask(names, "haystack").answer[0][0].to_text() == "127.0.0.1"
        engine.lists_now.set()
        until(lambda: ask(names, host("late")).rcode() == dns.rcode.NOERROR, LIMIT, "the name never came")
        until(lambda: ask(names, host("never")).rcode() == dns.rcode.NXDOMAIN, LIMIT, "nothing is ever denied")


def test_the_log_of_a_start_says_who_is_there_and_what_to_type_and_ends_with_ready(origin: Origin) -> None:
    with Haystack([Member("web", origin.port)]) as haystack:
        names = [line["event"] for line in haystack.lines]
        told = {line["event"]: line for line in haystack.lines}
        ready = told["ready"]
        typed = (shlex.split(f"{each} --silent --fail") for each in (ready["example"], f"curl {ready['page']}"))
        _, page = [subprocess.run(command, capture_output=True, check=True, timeout=LIMIT).stdout for command in typed]
    assert names.index("container.joined") < names.index("service.up") < names.index("source.listed")
    assert (names[-1], names.count("ready")) == ("ready", 1)
    assert told["container.joined"]["services"] == [host("web")]
    assert told["service.up"]["url"] == f"http://{host('web')}:{haystack.port}/"
    assert (ready["version"], ready["containers"], ready["services"]) == (__version__, 1, 1)
    assert ready["example"] == f"curl -H 'Host: {host('web')}' http://127.0.0.1:{haystack.port}/"
    assert b"<title>Haystack</title>" in page


def ask(port: int, name: str, kind: str = "A") -> dns.message.Message:
    return dns.query.udp(dns.message.make_query(name, kind), "127.0.0.1", port=port, timeout=5)


def test_where_nothing_can_be_listed_names_are_not_denied(origin: Origin, tmp_path: Path) -> None:
    """An engine that is down when Haystack starts: 503 and SERVFAIL, the web side says why, and then it is back."""
    static = tmp_path / "broken.toml"
    static.write_text("[[container")
    port = free_port()
    haystack = Haystack([], HAYSTACK_STATIC=str(static), HAYSTACK_DNS_PORT=str(port))
    haystack._readyz = lambda: 200  # type: ignore[method-assign] # it will not be ready for now
    with haystack:
        with Client(haystack.port) as client:
            assert client.get("localhost", "/readyz").status == 503
            refused = client.get(host("late"))
            assert (refused.status, refused.get("retry-after")) == (503, "1")
            assert "no source of containers has been listed yet" in (refused.get("proxy-status") or "")
        assert ask(port, host("late")).rcode() == dns.rcode.SERVFAIL
        # more than one message to the workers holds: the last one's services are not denied while the first ones are known
        members = [*(Member(f"other{number}", origin.port) for number in range(300)), Member("late", origin.port)]
        whole = tmp_path / "whole.toml"  # put in place at once: a file that is being written is an empty one at first
        whole.write_text("\n".join(member.toml(number) for number, member in enumerate(members)))
        whole.replace(static)
        seen = set[int]()
        until(lambda: 200 in seen or seen.add(status(haystack, "late")), 10, "it was not found")
        assert seen == {503, 200}
        until(lambda: status(haystack, "never") == 404, 10, "nothing is ever denied, though all has been listed")


def status(haystack: Haystack, image: str) -> int:
    with Client(haystack.port) as client:
        return client.get(host(image)).status


def test_requests_of_a_service_whose_first_container_is_starting_wait_for_it(fakes: Loop) -> None:
    """It is known, and nobody is in yet: no reason for 503."""
    late = Origin(fakes, respond(), port=free_port())
    with Haystack([]) as haystack, Client(haystack.port, LIMIT) as client:
        haystack.show([Member("new", late.port)])
        until(lambda: haystack.serving("new", ready=False) == 1, 10, "it was not found")
        client.send(f"GET / HTTP/1.1\r\nHost: {host('new')}\r\n\r\n".encode())
        late.start()
        assert client.response().status == 200
    late.stop()


def test_a_503_tells_why_the_last_endpoint_is_out_and_since_when(origin: Origin) -> None:
    """Proxy-Status (RFC 9209, section 2.3): the reason, as the shell has it."""
    with Haystack([Member("web", origin.port)], HAYSTACK_WAIT="0") as haystack:
        port = free_port()
        haystack.show([None, Member("new", port)])
        until(lambda: haystack.serving("new", ready=False) == 1, 10, "it was not found")
        assert_told(haystack, "new", rf"waiting: port {port} does not accept yet, out for \d\.\d s")
        assert_told(haystack, "web", r"gone, out for \d\.\d s")


def test_a_503_tells_what_to_type_where_no_network_leads_to_the_only_endpoint(fakes: Loop) -> None:
    """To its end, however long; and it is served as soon as a connection can be made, whatever networks say."""
    port, name = free_port(), "a-network-with-a-name-that-is-longer-than-most-of-those-that-people-type_default"
    pool = {"Subnet": "10.99.0.0/24", "Gateway": "10.99.0.1"}
    raw = inspected(1, "far", "far")
    raw["Config"] |= {"Labels": {"haystack.port": str(port)}}
    raw["NetworkSettings"]["Networks"] = {name: {"NetworkID": "5" * 64, "IPAddress": "127.0.0.1"}}
    with FakeEngine() as engine:
        engine.networks.append({"Id": "5" * 64, "Name": name, "Scope": "local", "Driver": "bridge", "IPAM": {"Config": [pool]}})
        engine.add(raw, event=False)
        with deaf(port) as end, Haystack([], HAYSTACK_STATIC="", DOCKER_HOST=engine.host, HAYSTACK_WAIT="0") as haystack:
            until(lambda: status(haystack, "far") == 503, LIMIT, "it is not out")
            told = f"Haystack has no address on its network {name}; run Haystack in a container there: "
            told += f"`docker run --network {name} ... haystack`"
            assert_told(haystack, "far", rf"port {port} does not answer: {re.escape(told)}, out for \d+\.\d s")
            with Client(haystack.port) as client:
                assert f"far can't be reached: {told}" in client.get("localhost", "/api/info").body.decode()
            end()
            served = Origin(fakes, respond(), port=port).start()
            until(lambda: status(haystack, "far") == 200, LIMIT, "it is out though it can be reached")
    served.stop()


@contextmanager
def deaf(port: int) -> Iterator[Callable[[], None]]:
    """A port of this machine that says nothing until it is told to end: its queue is full, and the kernel drops who wants to connect."""
    with ExitStack() as queued:
        listening = queued.enter_context(socket.socket())
        listening.bind(("127.0.0.1", port))
        listening.listen(0)
        for _ in range(4):
            waiting = queued.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", port))
        yield queued.close


def assert_told(haystack: Haystack, image: str, reason: str) -> None:
    with Client(haystack.port) as client:
        refused = client.get(host(image))
    assert refused.status == 503
    told = f'haystack; error=destination_unavailable; details="no endpoint of the service is ready \\({reason}\\)"'
    assert re.fullmatch(told, refused.get("proxy-status") or ""), refused.get("proxy-status")

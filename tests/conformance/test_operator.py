"""An operator takes endpoints out and gives them back, over SSH, while clients go on: no request fails, and `--wait` waits for the last."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import dns.message
import dns.query
import pytest

from haystack.operator import kept
from tests.fakes.client import Client
from tests.fakes.gate import Gate
from tests.fakes.load import Load
from tests.fakes.operators import COMMENT, Operator, Said
from tests.fakes.origin import OK, Loop, Origin, refused_port, respond
from tests.fakes.ssh import NEEDS_SSH
from tests.fakes.worker import Haystack, Member, host, until

pytestmark = NEEDS_SSH
WEB = host("web")


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Operator:
    return Operator(tmp_path_factory.mktemp("operator"))


class Stage:
    """A service of two endpoints. `first` is held by the test where a request has /slow; both answer all others."""

    def __init__(self, fakes: Loop, operator: Operator, stack: ExitStack, **settings: str) -> None:
        self.gate = Gate(fakes)
        self.origins = [Origin(fakes, respond()).start() for _ in range(2)]
        for each in self.origins:
            each.script = self._answer
        self.operator = operator
        self.settings = {"HAYSTACK_WORKERS": "2", **operator.settings, **settings}
        self.stack = stack
        self.haystack = stack.enter_context(Haystack(self.members, **self.settings))
        for each in self.origins:
            stack.callback(each.stop)
        stack.callback(self.gate.origin.stop)

    @property
    def members(self) -> list[Member]:
        return [Member("web", each.port) for each in self.origins]

    async def _answer(self, call) -> None:  # type: ignore[no-untyped-def]
        slow = "/slow" in call.request.line
        await (self.gate.take if slow else respond())(call)

    def name(self, number: int) -> str:
        """How the operator calls an endpoint."""
        return f"webx{number}:{self.origins[number].port}"

    def says(self, line: str) -> Said:
        return self.operator.says(self.haystack, line)

    def begin(self, line: str) -> subprocess.Popen[str]:
        return self.operator.begin(self.haystack, line)

    @contextmanager
    def slow(self, extra: bytes = b"") -> Iterator[tuple[Client, int]]:
        """A client with a request that waits for the gate, and which endpoint has it."""
        with Client(self.haystack.port) as client:
            before = [self._slow(n) for n in (0, 1)]
            client.send(f"GET /slow HTTP/1.1\r\nHost: {WEB}\r\n".encode() + extra + b"\r\n")
            until(lambda: [self._slow(n) for n in (0, 1)] != before, 15, "the request came nowhere")
            yield client, int(self._slow(1) > before[1])

    def _slow(self, number: int) -> int:
        return sum("/slow" in each.line for each in self.origins[number].requests)

    def asked(self, number: int) -> int:
        return len(self.origins[number].requests)


@pytest.fixture
def stage(fakes: Loop, operator: Operator) -> Iterator[Stage]:
    with ExitStack() as stack:
        yield Stage(fakes, operator, stack)


def test_under_load_no_request_fails_and_wait_returns_when_the_last_has_ended(stage: Stage) -> None:
    with stage.slow() as (client, number), Load().http(stage.haystack.port, WEB, b"ok", keep=4, new=2) as load:
        load.go_on()
        waiting = stage.begin(f"drain {stage.name(number)} --wait --json --why upgrade")
        until(lambda: stage.haystack.serving("web") == 1, 15, "it is not drained")
        load.go_on(2)
        before = stage.asked(number)
        load.go_on(20)
        assert waiting.poll() is None, "an exchange is in flight still"
        stage.gate.answer()
        assert client.response().status == 200
        said = stage.operator.end(waiting)
        assert (said.status, said.err) == (0, "")
        assert {key: said.json[key] for key in ("kind", "why", "ended", "in_flight", "without_endpoint")} == {
            "kind": "drain", "why": "upgrade", "ended": "empty", "in_flight": 0, "without_endpoint": [],
        }  # fmt: skip
        assert stage.asked(number) == before, "one that is drained gets no request"
        assert stage.says(f"undrain {stage.name(number)}").status == 0
        until(lambda: stage.asked(number) > before, 15, "it gets no request after undrain")
        load.go_on()
    assert not load.wrong
    assert not stage.haystack._find("worker.died")


def test_a_tunnel_is_in_flight_until_it_ends(stage: Stage) -> None:
    upgrade = b"Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    with stage.slow(upgrade) as (client, number):
        stage.gate.answer()
        assert client.response().status == 101
        said = stage.says(f"drain {stage.name(number)}")
        assert "is drained; 1 exchange in flight" in said.out
        late = stage.says(f"drain {stage.name(number)} --wait --timeout 1s")
        assert (late.status, "the time is up; it stays drained, 1 exchange in flight" in late.err) == (1, True)
        waiting = stage.begin(f"drain {stage.name(number)} --wait")
        stage.haystack.wait("operator.drained")
        assert waiting.poll() is None
    assert stage.operator.end(waiting).status == 0


def test_the_end_of_its_time_ends_the_waiting_too(stage: Stage) -> None:
    with stage.slow() as (client, number):
        said = stage.says(f"drain {stage.name(number)} --wait --for 1s")
        assert (said.status, "not drained any more, 1 exchange in flight" in said.err) == (1, True)
        assert stage.haystack.wait("operator.expired")["target"].endswith(f":{stage.origins[number].port}/tcp")
        assert stage.haystack.serving("web") == 2
        stage.gate.answer()
        assert client.response().status == 200


def test_undrain_ends_the_waiting_of_others(stage: Stage) -> None:
    with stage.slow() as (client, number):
        waiting = stage.begin(f"drain {stage.name(number)} --wait")
        until(lambda: stage.haystack.serving("web") == 1, 15, "it is not drained")
        assert stage.says(f"undrain {stage.name(number)}").status == 0
        assert stage.operator.end(waiting).status == 1
        stage.gate.answer()
        assert client.response().status == 200


def test_a_worker_that_dies_has_nothing_in_flight(stage: Stage) -> None:
    with stage.slow() as (_, number):
        waiting = stage.begin(f"drain {stage.name(number)} --wait")
        until(lambda: stage.haystack.serving("web") == 1, 15, "it is not drained")
        assert waiting.poll() is None
        for pid in stage.haystack.workers():
            os.kill(pid, signal.SIGKILL)
        assert stage.operator.end(waiting).status == 0
    until(lambda: _status(stage) == 200, 10, "no worker serves")
    assert stage.haystack.serving("web") == 1, "the next workers know of it"


def _status(stage: Stage) -> int:
    try:
        with Client(stage.haystack.port) as client:
            return client.get(WEB).status
    except OSError:
        return 0


def test_who_ends_the_waiting_does_not_end_the_drain(stage: Stage) -> None:
    with stage.slow() as (client, number):
        waiting = stage.begin(f"drain {stage.name(number)} --wait")
        until(lambda: stage.haystack.serving("web") == 1, 15, "it is not drained")
        waiting.terminate()
        stage.operator.end(waiting)
        assert stage.name(number) in stage.says("drain").out
        assert stage.haystack.serving("web") == 1
        stage.gate.answer()
        assert client.response().status == 200


def test_one_service_in_maintenance_is_answered_at_once_without_names(stage: Stage) -> None:
    said = stage.says(f"drain {WEB} --why secret --json")
    assert (said.status, said.json["kind"]) == (0, "maintenance")
    began = time.monotonic()
    with Client(stage.haystack.port) as client:
        answer = client.get(WEB)
    assert time.monotonic() - began < 5, "a request waits for a service without endpoints, but not for maintenance"
    assert (answer.status, answer.get("retry-after")) == (503, "1")
    status = answer.get("proxy-status") or ""
    assert "in maintenance" in status
    whole = status + answer.body.decode()
    assert "secret" not in whole
    assert COMMENT not in whole
    assert stage.says("wait web --timeout 1s").status == 1
    assert stage.says("undrain web").status == 0
    with Client(stage.haystack.port) as client:
        assert client.get(WEB).status == 200


def test_of_a_container_of_two_services_only_the_exchanges_of_the_one_count(fakes: Loop, operator: Operator) -> None:
    with ExitStack() as stack:
        stage = Stage(fakes, operator, stack)
        compose = {"com.docker.compose.project": "shop", "com.docker.compose.service": "front"}
        stage.haystack.show([Member("web", each.port, compose) for each in stage.origins])
        front = "front.shop.services.haystack"
        assert stage.says("wait front.shop>=2 --timeout 10s").status == 0
        with stage.slow() as (client, _):
            said = stage.says("drain front.shop --wait --timeout 10s")
            assert (said.status, "nothing is in flight" in said.out) == (0, True)
            with Client(stage.haystack.port) as other:
                assert [other.get(name).status for name in (front, WEB)] == [503, 200]
            late = stage.says("drain web --wait --timeout 500ms")
            assert (late.status, "1 exchange in flight" in late.err) == (1, True)
            stage.gate.answer()
            assert client.response().status == 200
        assert stage.says("drain web --wait").status == 0


def test_a_request_that_waits_is_answered_when_maintenance_begins(stage: Stage) -> None:
    """It waits for an endpoint that has just started; then none is expected any more."""
    late = host("late")
    with refused_port() as closed, Client(stage.haystack.port, timeout=20) as client:
        stage.haystack.show([*stage.members, Member("late", closed.getsockname()[1])])
        until(lambda: stage.haystack.serving("late", ready=False) == 1, 15, "it is not listed")
        client.send(f"GET / HTTP/1.1\r\nHost: {late}\r\n\r\n".encode())
        assert stage.says("drain latex2:1").status == 1
        assert not select.select([client.socket], [], [], 0)[0], "it is answered already"
        assert stage.says("drain late").status == 0
        answer = client.response()
    assert (answer.status, "in maintenance" in (answer.get("proxy-status") or "")) == (503, True)


def test_a_sticky_client_moves(fakes: Loop, operator: Operator) -> None:
    with ExitStack() as stack:
        origins = [Origin(fakes, respond(OK.replace(b"ok", b"%dk" % n))).start() for n in (0, 1)]
        for each in origins:
            stack.callback(each.stop)
        members = [Member("web", each.port, {"haystack.sticky": "cookie"}) for each in origins]
        haystack = stack.enter_context(Haystack(members, **operator.settings))
        with Client(haystack.port) as client:
            first = client.get(WEB)
            cookie = f"Cookie: {(first.get('set-cookie') or '').split(';')[0]}\r\n".encode()
            assert {client.get(WEB, extra=cookie).body for _ in range(5)} == {first.body}
            number = int(first.body[:1])
            assert operator.says(haystack, f"drain webx{number}").status == 0
            assert {client.get(WEB, extra=cookie).body for _ in range(5)} == {b"%dk" % (1 - number)}


def test_dns_leaves_it_out(stage: Stage) -> None:
    query = dns.message.make_query(f"_{stage.origins[0].port}._tcp.{WEB}", "SRV")
    port = int(stage.haystack.wait("ready")["dns"])

    def there() -> bool:
        answer = dns.query.udp(query, "127.0.0.1", timeout=5, port=port)
        return bool(answer.answer)

    until(there, 15, "no SRV record")
    assert stage.says(f"drain {stage.name(0)}").status == 0
    until(lambda: not there(), 15, "the SRV record is there still")


def test_weights(stage: Stage) -> None:
    assert stage.says(f"weight {stage.name(0)} 0 --why canary").status == 0
    before = stage.asked(0)
    with Client(stage.haystack.port) as client:
        assert [client.get(WEB).status for _ in range(20)] == [200] * 20
    assert stage.asked(0) == before
    assert "weight 0 by" in stage.says("service web").out
    assert stage.says(f"weight {stage.name(0)} label").status == 0
    with Client(stage.haystack.port) as client:
        assert [client.get(WEB).status for _ in range(40)] == [200] * 40
    assert stage.asked(0) > before


@pytest.mark.parametrize(
    ("line", "status", "told"),
    [
        ("drain webb", 1, "did you mean web"),
        ("drain webx9", 1, "did you mean webx"),
        ("drain webx0:1", 1, "webx0 has no port 1: its ports are"),
        ("undrain webx0", 1, "webx0 is not drained itself"),
        ("undrain nobody", 1, "no endpoint, container or service nobody"),
        ("weight web 5", 1, "web is a service: only an endpoint has a weight"),
        ("weight webx0 65536", 2, "not a number from 0 to 65535"),
        ("weight webx0", 2, "usage: weight"),
        ("drain --wait", 2, "what is to be drained?"),
        ("drain webx0 --timeout 5s", 2, "--timeout is for --wait"),
        ("drain webx0 --for 0", 2, "not more than nothing"),
        ("wait web>3", 2, "not a service with a number"),
        ("wait webb --timeout 100ms", 1, "did you mean web?"),
        ("wait web>=3 --timeout 100ms", 1, "2 of 2 endpoints are ready, not 3"),
        ("drain container:webx0 --why $'\\x1b]0;owned\\x07'", 0, ""),
    ],
)
def test_what_a_line_says(shared: Stage, line: str, status: int, told: str) -> None:
    said = shared.says(line)
    assert said.status == status
    assert told in said.err
    assert "\x1b" not in said.out + said.err + shared.says("drain").out
    shared.says("undrain webx0")


@pytest.fixture(scope="module")
def shared(fakes: Loop, operator: Operator) -> Iterator[Stage]:
    with ExitStack() as stack:
        yield Stage(fakes, operator, stack)


def test_the_last_endpoint_is_drained_with_a_warning_and_twice_is_once(stage: Stage) -> None:
    assert stage.says("drain webx0 --why one").err == ""
    assert stage.says("drain webx0 --why two --for 1h").err == ""
    said = stage.says(f"drain {stage.name(1)}")
    assert (said.status, f"warning: {WEB} has no endpoint that is ready" in said.err) == (0, True)
    listed = stage.says("drain --json").json
    assert [(each["kind"], each["scope"], each["why"]) for each in listed] == [("drain", "container", "two"), ("drain", "endpoint", None)]
    assert stage.says(f"undrain {stage.name(0)}").err.count("still drained: container webx0") == 1
    assert stage.says("undrain webx0").status == 0
    assert stage.says("wait web").out == f"{WEB}: 1 of 2 endpoints are ready\n"


def test_many_at_once(stage: Stage) -> None:
    with ExitStack() as stack:
        load = stack.enter_context(Load().http(stage.haystack.port, WEB, b"ok", keep=2, new=1))
        for _ in range(3):
            doing = [stage.begin(f"{what} webx0") for what in ("drain", "undrain", "drain", "drain")]
            assert {stage.operator.end(each).status for each in doing} <= {0, 1}
        load.go_on()
    assert not load.wrong


def test_wait_returns_when_they_are_ready(stage: Stage) -> None:
    assert stage.says("drain webx1").status == 0
    waiting = stage.begin("wait web>=2 --timeout 20s")
    with Client(stage.haystack.port) as client:
        client.get(WEB)
    assert waiting.poll() is None
    assert stage.says("undrain webx1").status == 0
    said = stage.operator.end(waiting)
    assert (said.status, said.out) == (0, f"{WEB}: 2 of 2 endpoints are ready\n")


def test_the_next_haystack_knows_of_all(stage: Stage) -> None:
    stage.says("drain webx0 --why upgrade --for 1h")
    stage.says(f"weight {stage.name(1)} 7")
    before = stage.says("drain --json").json
    assert {(each["by"], each["fingerprint"].partition(":")[0]) for each in before} == {(COMMENT, "SHA256")}
    asked = stage.asked(0)
    with Load().http(stage.haystack.port, WEB, b"ok", keep=2, new=1) as load:
        load.go_on()
        new = stage.stack.enter_context(Haystack(stage.members, instead_of=stage.haystack, **stage.settings))
        stage.haystack.ended(15)
        load.go_on()
    assert not load.wrong
    stage.haystack = new
    assert stage.says("drain --json").json == before
    assert stage.asked(0) == asked, "it was drained all the time"
    assert stage.says("undrain webx0").status == 0
    assert stage.haystack.serving("web") == 2


def test_what_is_kept_outlives_a_kill_and_what_is_not_does_not(fakes: Loop, operator: Operator, tmp_path: Path) -> None:
    with ExitStack() as stack:
        stage = Stage(fakes, operator, stack, HAYSTACK_STATE_DIR=str(tmp_path / "kept"))
        stage.says("drain webx0 --keep --why upgrade")
        stage.says("drain webx1")
        assert (tmp_path / "kept" / kept.NAME).stat().st_mode & 0o777 == 0o600
        os.kill(stage.haystack.process.pid, signal.SIGKILL)
        stage.haystack.killed()
        stage.haystack = stack.enter_context(Haystack(stage.members, **stage.settings))
        assert stage.haystack.wait("operator.restored")["count"] == 1
        assert stage.haystack.serving("web") == 1
        assert [each["name"] for each in stage.says("drain --json").json] == ["webx0"]

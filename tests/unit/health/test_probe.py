"""Probes: what labels ask for, what answers mean, how one is asked, and when."""

import asyncio
import contextlib

import pytest
import uvloop
from msgspec.structs import replace

from haystack.health import admission_times
from haystack.health.http_check import ask
from haystack.health.probe import SOONEST, Probe, State, heard, judged, of, pause, statuses
from haystack.health.prober import AT_ONCE, GAP, Prober
from haystack.health.tcp_check import accepts
from haystack.model.records import Options
from tests.fakes.state import ENDPOINT

PROBE = Probe(address="10.0.0.1", port=80, path="/up", rise=2, fall=3)
UP, DOWN, NEW = State(up=True), State(up=False, why="503 from /up, 3 in a row", trouble="503 from /up"), State()


def after(state, *answers, probe=PROBE, at=1.0):
    for answer in answers:
        good, told = judged(probe, answer if isinstance(answer, int) else 0, answer if isinstance(answer, str) else "")
        state = heard(state, probe, at, told, good=good)
    return state


def test_labels_make_a_probe():
    assert of(Options(), ENDPOINT) is None
    assert of(Options(health={"interval": "1.0"}), ENDPOINT) is None
    assert of(Options(health={"path": "/up"}), replace(ENDPOINT, listener=None)) is None
    assert of(Options(health={"path": "/up"}), ENDPOINT) == Probe(address="172.17.0.2", port=80, path="/up")
    asked = {"path": "/", "port": "81", "interval": "1.5", "timeout": "0.5", "rise": "1", "fall": "9", "method": "HEAD", "host": "h"}
    assert of(Options(health=asked | {"status": "204"}), ENDPOINT) == Probe(
        address="172.17.0.2", port=81, path="/", interval=1.5, timeout=0.5, rise=1, fall=9, statuses=((204, 204),), method="HEAD", host="h"
    )


def test_labels_make_a_probe_of_grpc_instead():
    assert of(Options(health={"grpc": "on"}), ENDPOINT) == Probe(address="172.17.0.2", port=80, service="")
    assert of(Options(health={"grpc": "shop.Cart", "path": "/up"}), ENDPOINT) == Probe(address="172.17.0.2", port=80, service="shop.Cart")
    asked = of(Options(health={"grpc": "shop.Cart", "port": "81", "host": "h"}), ENDPOINT)
    assert (asked.port, asked.authority, asked.subject) == (81, "h", "gRPC health of shop.Cart")


def test_the_request_names_whom_it_asks():
    assert PROBE.request().startswith(b"GET /up HTTP/1.1\r\nHost: 10.0.0.1:80\r\n")
    assert b"Host: [fd00::1]:80\r\n" in replace(PROBE, address="fd00::1").request()
    assert b"Host: shop.example\r\n" in replace(PROBE, host="shop.example").request()


def test_statuses():
    assert statuses("200-399, 404") == ((200, 399), (404, 404))
    for bad in ("", "x", "200-", "399-200", "99", "600", "200,,300", "-200"):
        with pytest.raises(ValueError):
            statuses(bad)


def test_a_new_one_is_in_after_one_good_answer_and_down_after_a_while():
    assert after(NEW, "does not accept").up is None
    assert after(NEW, "does not accept", 500, 204).up is True
    late = after(NEW, 500, at=admission_times.PATIENCE)
    assert (late.up, late.why) == (False, "500 from /up")


def test_fall_bad_ones_in_a_row_and_it_is_down():
    assert after(UP, 500, 503).up is True
    assert after(UP, 500, 503, 200, 500, 503).up is True
    down = after(UP, 500, "does not answer", 503)
    assert (down.up, down.why, down.told) == (False, "503 from /up, 3 in a row", "503 from /up")
    assert after(UP, *["does not accept"] * 3).why == "port 80 does not accept, 3 in a row"
    assert after(UP, 404, probe=replace(PROBE, fall=1)).up is False


def test_rise_good_ones_in_a_row_and_it_is_up():
    assert after(DOWN, 200).up is False
    assert after(DOWN, 200, 503, 399).up is False
    assert after(DOWN, 200, 301) == State(up=True, told="301 from /up", at=1.0)


def test_while_it_is_down_the_newest_trouble_is_told_and_no_count_that_changes_all_the_time():
    assert after(DOWN, 503, 503).why == DOWN.why
    assert after(DOWN, "does not accept").why == "port 80 does not accept"


def test_a_new_one_is_looked_at_more_often():
    assert pause(NEW, PROBE, 0.0) == SOONEST
    assert pause(NEW, replace(PROBE, interval=0.01), 0.0) == 0.01
    assert pause(UP, PROBE, 0.0) == pause(DOWN, PROBE, 0.0) == 5


@pytest.fixture
async def serve():
    """Starts a server that answers each connection's first request with these bytes."""
    servers, talks = [], set()

    async def start(*pieces):
        async def answer(reader, writer):
            talks.add(asyncio.current_task())
            seen.append(await reader.readuntil(b"\r\n\r\n"))
            with contextlib.suppress(ConnectionError):  # who has read what it wants to know hangs up
                for piece in pieces:
                    writer.write(piece)
                    await writer.drain()
                if not pieces:
                    await reader.read()
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        servers.append(server)
        return server.sockets[0].getsockname()[1]

    seen = start.seen = []
    yield start
    for server in servers:
        server.close()
    await asyncio.gather(*talks)


@pytest.mark.parametrize(
    ("pieces", "told"),
    [
        ((b"HTTP/1.1 204 No Content\r\n\r\n",), (204, "")),
        ((b"HTTP/1.0 503\r\n", b"\r\n"), (503, "")),
        ((b"HT", b"TP/1.1 200 OK\r\nA: b\r\n\r\nbody"), (200, "")),
        ((b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 404 No\r\n\r\n",), (404, "")),
        ((b"hello\r\n",), (0, "does not speak HTTP")),
        ((b"",), (0, "does not speak HTTP")),
        ((b"HTTP/1.1 100 Continue\r\n" + b"A: b\r\n" * 20000,), (0, "does not speak HTTP")),
        ((), (0, "does not answer")),
    ],
)
async def test_one_answer(serve, pieces, told):
    port = await serve(*pieces)
    assert await ask("127.0.0.1", port, b"GET / HTTP/1.1\r\n\r\n", 0.5 if not pieces else 5) == told
    assert serve.seen == [b"GET / HTTP/1.1\r\n\r\n"]


def test_so_it_is_on_the_loop_that_the_control_process_runs():
    ended = asyncio.Queue()

    async def answer(reader, writer):
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 503 No\r\n\r\n")
        except asyncio.IncompleteReadError:  # it wanted to know only whether it could connect
            pass
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
            ended.put_nowait(None)

    async def talk():
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        told = await accepts("127.0.0.1", port), await ask("127.0.0.1", port, PROBE.request(), 5)
        for _ in told:
            await ended.get()  # before 3.12 a server does not wait for its connections
        server.close()
        await server.wait_closed()
        return *told, await accepts("127.0.0.1", port), await ask("127.0.0.1", port, PROBE.request(), 5)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(talk()) == ("", (503, ""), "does not accept", (0, "does not accept"))


async def test_nobody_there():
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    assert await ask("127.0.0.1", port, b"", 5) == (0, "does not accept")


class Asked:
    """Answers for the prober, told in the order in which they are asked for."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.news = asyncio.Event()
        self.prober = Prober(self.news.set, self.ask)
        self.now = self.most = self.times = 0

    async def ask(self, probe):
        self.times += 1
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0)
        self.now -= 1
        return judged(probe, self.answers.pop(0) if len(self.answers) > 1 else self.answers[0], "")

    async def change(self):
        await asyncio.wait_for(self.news.wait(), 5)
        self.news.clear()


FAST = replace(PROBE, interval=0.001)


async def test_an_endpoints_way_up_down_and_up_again():
    asked = Asked(500, 200, 500, 500, 500, 200, 200)
    asked.prober.add("a", FAST, running=False)
    assert asked.prober.verdict("a") == ("no successful check of /up", "")
    await asked.change()
    assert asked.prober.verdict("a") == ("", "")
    await asked.change()
    assert asked.prober.verdict("a") == ("", "probe: 500 from /up, 3 in a row")
    await asked.change()
    assert asked.prober.verdict("a") == ("", "")
    assert asked.prober.state("a").told == "200 from /up"
    asked.prober.drop("a")
    assert (asked.prober.verdict("a"), asked.prober.state("a")) == (("", ""), None)


async def test_thousands_that_ran_before_are_spread_over_their_interval():
    asked = Asked(200)
    for number in range(2000):
        asked.prober.add(str(number), replace(PROBE, interval=100), running=True)
    await asyncio.sleep(0.1)
    assert asked.times < 200
    for number in range(2000):
        asked.prober.drop(str(number))


async def test_however_many_and_often_they_are_no_more_begin_than_the_loop_can_bear():
    """A label with an interval of a millisecond had 9,302 probes made a second, and DNS waited."""
    asked = Asked(200)
    began = asyncio.get_running_loop().time()
    for number in range(100):
        asked.prober.add(str(number), FAST, running=False)
    await asyncio.sleep(0.2)
    passed = asyncio.get_running_loop().time() - began
    assert 1 < asked.times <= passed / GAP + 1
    for number in range(100):
        asked.prober.drop(str(number))


async def test_never_too_many_at_once():
    release, full = asyncio.Event(), asyncio.Event()
    now = []

    async def ask(probe):
        now.append(probe)
        if len(now) == AT_ONCE:
            full.set()
        await release.wait()
        return True, "200 from /up"

    prober = Prober(lambda: None, ask)
    for number in range(2 * AT_ONCE):
        prober.add(str(number), replace(PROBE, interval=100), running=False)
    await asyncio.wait_for(full.wait(), 5)
    for _ in range(10):
        await asyncio.sleep(0)
    assert len(now) == AT_ONCE
    release.set()
    for number in range(2 * AT_ONCE):
        prober.drop(str(number))

"""Windows of HTTP/2, both ways: back-pressure goes through, memory has a bound, nothing of a window is lost (RFC 9113, section 5.2)."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time

import pytest
from h2.settings import SettingCodes
from hyperframe.frame import DataFrame, GoAwayFrame, RstStreamFrame, SettingsFrame, WindowUpdateFrame

from tests.fakes.h2c import WEB, house
from tests.fakes.http2 import Http2Client, Rude
from tests.fakes.origin import Origin, held, respond
from tests.fakes.worker import Haystack, Member, host, resident, until

MEGA = 1 << 20
WINDOW, ALL_WINDOW = 262_144, MEGA
LARGE = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (8 * MEGA)


@pytest.fixture(scope="module")
def web(fakes):
    with house(fakes, HAYSTACK_IDLE_TIMEOUT="2s", HAYSTACK_TIMEOUT="20s", HAYSTACK_TUNNEL_TIMEOUT="20s") as made:
        yield made


@pytest.fixture(autouse=True)
def plain_answer(web):
    web.origin.script = respond()
    web.origin.requests.clear()


def large(size: int = 8 * MEGA, chunked: bool = False):
    """A body of so many bytes, each telling its place."""
    block = bytes(range(256)) * 256

    async def script(call):
        await call.body()
        await call.send(
            b"HTTP/1.1 200 OK\r\n" + (b"Transfer-Encoding: chunked\r\n\r\n" if chunked else b"Content-Length: %d\r\n\r\n" % size)
        )
        for _ in range(size // len(block)):
            await call.send(b"%x\r\n%b\r\n" % (len(block), block) if chunked else block)
        if chunked:
            await call.send(b"0\r\n\r\n")

    return script


def stalled(gate: threading.Event):
    """Take the head, and nothing of the body until the gate opens."""

    async def script(call):
        call.writer.transport.pause_reading()
        await asyncio.to_thread(gate.wait, 15)
        call.writer.transport.resume_reading()
        await respond()(call)

    return script


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("window", [1000, 65_535, 4 * MEGA])
def test_a_long_body_comes_down_whole_through_any_window(web, window, chunked):
    size = MEGA if window == 1000 else 8 * MEGA
    web.origin.script = large(size, chunked)
    with web.client(settings={SettingCodes.INITIAL_WINDOW_SIZE: window}) as client:
        answer = client.get(WEB)
        assert len(answer.body) == size
        assert bytes(answer.body) == bytes(range(256)) * (size // 256)


def test_several_long_bodies_come_down_side_by_side(web):
    web.origin.script = large(MEGA)
    with web.client() as client:
        numbers = [client.begin(WEB) for _ in range(10)]
        assert [len(client.answer(number).body) for number in numbers] == [MEGA] * 10


def test_several_long_bodies_go_up_side_by_side(web):
    with web.client() as client:
        numbers = [client.begin(WEB, method="POST", end=False) for _ in range(5)]
        for number in numbers:
            client.upload(number, b"u" * 700_000)
        for number in numbers:
            client.h2.end_stream(number)
        client.flush()
        assert [client.answer(number).status for number in numbers] == [200] * 5
        assert sorted(len(request.body) for request in web.origin.requests) == [700_000] * 5


def test_an_endpoint_that_takes_nothing_stops_the_client(web):
    gate = threading.Event()
    web.origin.script = stalled(gate)
    with web.client() as client:
        client.hear(lambda: client.settled)
        number = client.begin(WEB, method="POST", fields=[("content-length", str(64 * MEGA))], end=False)
        client.timeout = 1
        with pytest.raises(TimeoutError):  # the kernel alone takes up to 10 MB between Haystack and the endpoint
            client.upload(number, b"u" * 64 * MEGA)
        assert client.given.get(number, 0) < 32 * MEGA
        client.timeout = 10
        gate.set()


def test_windows_of_streams_that_are_reset_come_back(web):
    """Of a body that the endpoint did not take, the connection's window comes back with the stream's reset."""
    gate = threading.Event()
    web.origin.script = stalled(gate)
    try:
        with web.client() as client:
            client.hear(lambda: client.settled)
            for _ in range(6):
                number = client.begin(WEB, "/never", "POST", fields=[("content-length", str(80 * MEGA))], end=False)
                client.fill(number)
                assert client.h2.local_flow_control_window(number) == 0
                client.cancel(number)
            client.ping()
            assert client.h2.outbound_flow_control_window > ALL_WINDOW // 2
            gate.set()
            web.origin.script = respond()
            assert client.post(WEB, b"x" * 600_000).status == 200
    finally:
        gate.set()


def test_bodies_that_endpoints_do_not_take_have_a_bound_in_all(fakes):
    """HAYSTACK_ANSWER_MEMORY: those that have gone longest without going on are broken off, and others go through."""
    gate = threading.Event()
    settings = {"HAYSTACK_ANSWER_MEMORY": "8M", "HAYSTACK_TIMEOUT": "60s", "HAYSTACK_ACCESS_LOG": "off"}
    with house(fakes, stalled(gate), respond(), **settings) as web, contextlib.ExitStack() as stack:
        stack.callback(gate.set)
        (worker,) = web.haystack.workers()
        before = resident(worker)
        clients = [stack.enter_context(web.rude()) for _ in range(40)]
        for client in clients:
            accept(client)
            for _ in range(4):
                number = client.next
                client.send(client.head(WEB, method="POST", end=False, fields=[("content-length", str(MEGA))]))
                client.send(*(DataFrame(number, b"u" * 16384) for _ in range(15)))
        until(lambda: any(client.hear(lambda: True) and broken(client) for client in clients), 10, "none is broken off")
        with web.client() as other:
            assert other.post(host("web1"), b"x" * 3 * MEGA).status == 200
        assert resident(worker) - before < 24 * MEGA
        assert {frame.error_code for client in clients for frame in client.of(RstStreamFrame)} == {2}  # and none for its window's sake
        gate.set()
    assert web.origins[1].requests[-1].body == b"x" * 3 * MEGA


def accept(client):
    """Take its settings: the windows of streams are as long as these say from then on, and 65,535 bytes before."""
    client.hear(lambda: client.of(SettingsFrame))
    client.send(SettingsFrame(0, flags=["ACK"]))


def broken(client):
    """Take in what has come; whether one of its streams was reset."""
    client.socket.settimeout(0.001)
    with contextlib.suppress(TimeoutError):
        client.take_in()
    return client.of(RstStreamFrame)


def test_windows_of_bodies_that_nobody_wants_come_back(web):
    with web.client() as client:
        client.hear(lambda: client.settled)
        for _ in range(8):
            number = client.begin("nobody.services.haystack", method="POST", end=False)
            client.fill(number)
            assert client.answers[number].status == 404
        client.ping()
        assert client.h2.outbound_flow_control_window > ALL_WINDOW // 2
        assert client.post(WEB, b"x" * 600_000).status == 200


def test_a_client_that_opens_no_window_holds_little_and_is_cut_off(web):
    web.origin.script = large(8 * MEGA)
    (worker,) = web.haystack.workers()
    with web.rude(settings={4: 0}) as client:
        before = resident(worker)
        for n in range(64):
            client.send(client.head(WEB, f"/{n}"))
        until(lambda: len(web.origin.requests) == 64, 10, "they never came")
        client.hear(lambda: len(client.of(RstStreamFrame)) == 64, 15)
        assert resident(worker) - before < 64 * 300_000
        assert not client.of(GoAwayFrame)
        web.origin.script = respond()
        number = client.next
        client.send(client.head(WEB), WindowUpdateFrame(number, 100))
        assert client.body(number) == b"ok"


def test_a_client_that_opens_a_window_by_bytes_is_too_slow(web):
    web.origin.script = large(8 * MEGA)
    with web.rude(settings={4: 1}) as client:
        client.send(client.head(WEB))
        end = time.monotonic() + 12
        while not client.of(RstStreamFrame, 1) and time.monotonic() < end:
            client.hear(lambda: client.of(RstStreamFrame, 1) or len(client.of(DataFrame, 1)) > 0 or time.monotonic() > end, 13)
            client.frames = [frame for frame in client.frames if not isinstance(frame, DataFrame)]
            client.send(WindowUpdateFrame(1, 1))
            time.sleep(0.01)
        assert client.of(RstStreamFrame, 1)


def test_a_client_whose_window_is_full_before_the_end_is_cut_off_too(web):
    """No byte waits for it, and the frame that ends the stream waits for a window all the same."""
    gate = threading.Event()

    async def script(call):
        await call.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n")
        await asyncio.to_thread(gate.wait, 15)
        await call.send(b"0\r\n\r\n")

    web.origin.script = script
    with web.rude(settings={4: 2}) as client:
        client.send(client.head(WEB))
        client.hear(lambda: client.of(DataFrame, 1))
        gate.set()
        assert client.hear(lambda: client.of(RstStreamFrame, 1), 15)
        assert not client.of(GoAwayFrame)


def test_a_refused_websocket_whose_answer_nobody_takes_is_cut_off_too(web):
    web.origin.script = respond(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
    with web.rude(settings={4: 0}) as client:
        client.send(client.head(WEB, method="CONNECT", end=False, fields=[(":protocol", "websocket")]))
        assert client.status(1) == 403
        assert client.hear(lambda: client.of(RstStreamFrame, 1), 15)


def test_a_client_whose_socket_is_full_is_cut_off(web):
    web.origin.script = large(8 * MEGA)
    with web.rude(settings={4: 16 * MEGA}, small=True) as client:
        client.send(WindowUpdateFrame(0, 16 * MEGA), client.head(WEB))
        until(lambda: web.origin.requests, 9, "it never came")
        before = web.origin.open
        until(lambda: web.origin.open < before, 20, "the endpoint waits for it still")


def test_a_window_that_overflows_ends_its_stream_or_the_connection(web):
    web.origin.script = large(8 * MEGA)
    with web.rude() as client:
        client.send(client.head(WEB), WindowUpdateFrame(1, 2**31 - 1))
        # nghttp2 1.70 has the stream's error end the connection, which RFC 9113, section 5.4.2 leaves to it
        client.hear(lambda: client.of(RstStreamFrame, 1) or client.of(GoAwayFrame))
        assert [frame.error_code for frame in client.of(RstStreamFrame, 1) + client.of(GoAwayFrame)] == [3]
    with web.rude() as client:
        client.send(WindowUpdateFrame(0, 2**31 - 1), WindowUpdateFrame(0, 2**31 - 1))
        assert client.ended() == 3


def test_who_sends_more_than_its_window_is_sent_away(web):
    gate = threading.Event()
    web.origin.script = held(gate)
    try:
        with web.rude() as client:
            client.send(client.head(WEB, method="POST", end=False, fields=[("content-length", str(8 * MEGA))]))
            for _ in range(80):
                client.send(DataFrame(1, b"u" * 16384))
            client.hear(lambda: client.of(RstStreamFrame, 1) or client.of(GoAwayFrame), 5)
    finally:
        gate.set()


def test_padding_counts_and_comes_back(web):
    padded = DataFrame(1, b"x" * 10, flags=["PADDED"], pad_length=255).serialize()
    counts = len(padded) - 9  # all but the frame's head (RFC 9113, section 6.9.1)

    def room(sent):
        """Whether the stream's window has room, which is that of section 6.9.2 for a client that acknowledges no settings."""
        return 65_535 + sum(f.window_increment for f in client.of(WindowUpdateFrame, 1)) - sent >= counts

    with web.rude() as client:
        client.send(client.head(WEB, method="POST", end=False))
        for number in range(900):
            assert client.hear(lambda number=number: room(number * counts))
            client.send(padded)
        client.send(DataFrame(1, b"", flags=["END_STREAM"]))
        assert client.status(1) == 200
        assert web.origin.requests[-1].body == b"x" * 9_000


def nothing_is_over(client, numbers, seconds):
    """For so long none of these is answered."""
    with pytest.raises(TimeoutError):
        client.hear(lambda: any(client.answers[number].over for number in numbers), seconds)


def test_a_body_that_has_to_wait_for_others_windows_is_not_called_slow(fakes):
    """The connection's window is full of bodies that an endpoint does not take: their client can't send another one."""
    gate = threading.Event()
    origins = [Origin(fakes, script).start() for script in (stalled(gate), respond())]
    members = [Member(f"of{time}", origin.port, {"haystack.timeout": time}) for time, origin in zip(("30s", "3s"), origins, strict=True)]
    with Haystack(members, HAYSTACK_H2C="on") as haystack, Http2Client(haystack.port) as client:
        client.hear(lambda: client.settled)
        for _ in range(40):
            number = client.begin(host("of30s"), method="POST", fields=[("content-length", str(80 * MEGA))], end=False)
            client.fill(number, 0.2)
            if client.h2.outbound_flow_control_window == 0:
                break
        assert client.h2.outbound_flow_control_window == 0
        begun = []
        for _ in range(3):
            begun.append(client.begin(host("of3s"), method="POST", fields=[("content-length", "2")], end=False))
            nothing_is_over(client, begun, 1)
        nothing_is_over(client, begun, 4)
        gate.set()
        client.hear(lambda: client.h2.outbound_flow_control_window > 0)
        nothing_is_over(client, begun, 1.2)  # the time of one of the three ends meanwhile, and each has all of it once it can go on
        for number in begun:
            client.upload(number, b"ok", end=True)
            assert client.answer(number).status == 200
    for origin in origins:
        origin.stop()


@contextlib.contextmanager
def slow_to_take(fakes, **settings):
    """A client for which bytes wait all the time, so that nothing is read of its connection; `of2s` is another service."""
    stuck = threading.Event()

    async def script(call):
        call.writer.write(LARGE + b"d" * 8 * MEGA)
        left = 0
        while left != (left := call.writer.transport.get_write_buffer_size()):  # noqa: ASYNC110 - no event tells of it
            await asyncio.sleep(0.2)
        stuck.set()
        await call.writer.drain()

    def stick(*frames):
        client.send(*frames)
        assert stuck.wait(10)

    origins = [Origin(fakes, each).start() for each in (script, respond())]
    members = [Member(f"of{time}", origin.port, {"haystack.timeout": time}) for time, origin in zip(("30s", "2s"), origins, strict=True)]
    with Haystack(members, HAYSTACK_H2C="on", **settings) as haystack, Rude(haystack.port, settings={4: 16 * MEGA}, small=True) as client:
        client.send(WindowUpdateFrame(0, 16 * MEGA))
        yield client, stick
    for origin in origins:
        origin.stop()


def sip(client, seconds):
    """Take some kilobytes a second, which is more than it has to."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        client.buffer += client.socket.recv(200)
        time.sleep(0.02)


def test_a_body_is_not_called_slow_while_nothing_is_read_of_its_connection(fakes):
    """Its client is slow to take another answer, and what it has sent meanwhile stays in the socket."""
    with slow_to_take(fakes) as (client, stick):
        stick(client.head(host("of30s")), client.head(host("of2s"), method="POST", end=False, fields=[("content-length", "2")]))
        client.send(DataFrame(3, b"ok", flags=["END_STREAM"]))
        sip(client, 3)
        assert client.status(3) == 200


def test_half_a_head_ends_nothing_while_nothing_is_read_of_its_connection(fakes):
    with slow_to_take(fakes, HAYSTACK_HEAD_TIMEOUT="1s") as (client, stick):
        whole, half = client.head(host("of30s")), client.head(host("of2s")).serialize()
        stick(whole, half[:12])
        client.send(half[12:])
        sip(client, 3)
        assert client.status(3) == 200


def test_a_body_whose_rest_never_comes_is_answered_408(fakes):
    with house(fakes, HAYSTACK_TIMEOUT="1s") as web, web.client() as client:
        number = client.begin(WEB, method="POST", fields=[("content-length", "100000")], end=False)
        client.h2.send_data(number, b"some")
        client.flush()
        assert client.answer(number).status == 408
        web.origin.script = respond()
        assert client.get(WEB).status == 200

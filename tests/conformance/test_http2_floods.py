"""Attacks that HTTP/2 is known for: each is ended at a bounded cost, and others are served meanwhile.

CVE-2019-9511 to 9518, CVE-2023-44487 (rapid reset), CVE-2024-27316 (CONTINUATION), CVE-2025-8671 (resets that the server is made to send).
"""

from __future__ import annotations

import struct
import time
from pathlib import Path

import pytest
from hyperframe.frame import ContinuationFrame, DataFrame, HeadersFrame, PingFrame, RstStreamFrame, SettingsFrame, WindowUpdateFrame

from tests.fakes.h2c import WEB, house
from tests.fakes.origin import never, respond
from tests.fakes.worker import host, resident

MEGA = 1 << 20
CALM, PROTOCOL_ERROR, FLOW_CONTROL_ERROR = 11, 1, 3
MOST_CPU = 3.0  # seconds that one attacker may cost, in the debug build and on a slow machine


@pytest.fixture(scope="module")
def web(fakes):
    with house(fakes, respond(), respond(), HAYSTACK_IDLE_TIMEOUT="3s") as made:
        yield made


@pytest.fixture(autouse=True)
def plain_answer(web):
    web.origin.script = respond()
    web.origin.requests.clear()


def cpu(pid):
    """Seconds that a process has used."""
    parts = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(parts[11]) + int(parts[12])) / 100


def served(web):
    """Another client is, at once."""
    began = time.monotonic()
    with web.client() as other:
        assert other.get(host("web1")).status == 200
    assert time.monotonic() - began < 5


def raw(kind, flags, number, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", number) + payload


def attack(web, make, rounds=2000, settings=None):
    """Send what make(client, round) gives, until the connection is ended; the code of its GOAWAY. It may cost so much."""
    (worker,) = web.haystack.workers()
    memory, used = resident(worker), cpu(worker)
    with web.rude(settings=settings) as client:
        client.socket.settimeout(2)
        try:
            for number in range(rounds):
                client.send(make(client, number))
                if client.unheard:
                    break
        except TimeoutError:
            pass  # nobody reads it any more
        served(web)
        code = client.ended(15)
    assert cpu(worker) - used < MOST_CPU
    assert resident(worker) - memory < 24 * MEGA
    assert web.haystack.workers() == [worker]
    served(web)
    return code


def requests_and(web, client, count, behind, **how):
    """So many requests, each followed by what behind(number) makes."""
    out = b""
    for _ in range(count):
        frame = client.head(WEB, **how)
        out += frame.serialize() + behind(frame.stream_id)
    return out


def test_rapid_reset(web):
    web.origin.script = never()
    code = attack(web, lambda client, _: requests_and(web, client, 50, lambda number: RstStreamFrame(number, 8).serialize()))
    assert code == CALM


MADE = {
    "window of 0": lambda number: raw(8, 0, number, b"\0\0\0\0"),
    "window overflows": lambda number: raw(8, 0, number, b"\x7f\xff\xff\xff") * 2,
    "depends on itself": lambda number: raw(2, 0, number, struct.pack(">IB", number, 1)),
    "headers within a request": lambda number: raw(1, 4, number, b"\x82"),
    "body longer than its length": lambda number: raw(0, 0, number, b"abc"),
    "body shorter than its length": lambda number: raw(0, 1, number, b""),
    "bad trailers": lambda number: raw(1, 5, number, b"\x00\x04:bad\x01x"),
}


@pytest.mark.parametrize("behind", MADE.values(), ids=MADE.keys())
def test_resets_that_the_server_is_made_to_send(web, behind):
    web.origin.script = never()
    code = attack(
        web, lambda client, _: requests_and(web, client, 20, behind, method="POST", end=False, fields=[("content-length", "1")]), 500
    )
    assert code in (CALM, PROTOCOL_ERROR, FLOW_CONTROL_ERROR)
    assert len(web.origin.requests) < 2500


def test_malformed_requests(web):
    assert attack(web, lambda client, _: requests_and(web, client, 50, lambda _: b"", fields=[("connection", "close")])) == CALM
    assert not web.origin.requests


@pytest.mark.parametrize("piece", [b"", b"\x82" * 100, b"\x00\x01a\x01b"])
def test_continuation(web, piece):
    def make(client, number):
        return (raw(1, 0, 1, client.encoder.encode([(":method", "GET")])) if number == 0 else b"") + raw(9, 0, 1, piece) * 500

    assert attack(web, make) is not None


FRAMES = {
    "ping": PingFrame(0, b"12345678").serialize() * 500,
    "settings": SettingsFrame(0).serialize() * 500,
    "large settings": SettingsFrame(0, {n: n for n in range(20, 200)}).serialize() * 50,
    "priority": raw(2, 0, 1, b"\0\0\0\0\1") * 500,
    "priority of many": b"".join(raw(2, 0, n, b"\0\0\0\0\1") for n in range(1, 1001, 2)),
    "window update": raw(8, 0, 0, b"\0\0\0\1") * 500,
    "unknown": raw(0xFE, 0, 0) * 500,
    "reset of nothing": raw(3, 0, 1, b"\0\0\0\x08") * 500,
    "pong": PingFrame(0, b"12345678", flags=["ACK"]).serialize() * 500,
    "settings ack": raw(4, 1, 0) * 500,
    "priority update": raw(0x10, 0, 0, b"\0\0\0\1u=0") * 500,
    "priority update of many": b"".join(raw(0x10, 0, 0, struct.pack(">I", n) + b"u=0") for n in range(1001, 2001, 2)),
}


@pytest.mark.parametrize("frames", FRAMES.values(), ids=FRAMES.keys())
def test_frames_that_carry_no_request(web, frames):
    def make(client, number):
        return (client.head(WEB).serialize() if number == 0 else b"") + frames

    assert attack(web, make) is not None


def test_a_client_that_says_again_and_again_that_it_goes(web):
    """It may get its answer before it was too much, and then its connection ends without another word (RFC 9113, section 6.8)."""
    attack(web, lambda client, number: (client.head(WEB).serialize() if number == 0 else b"") + raw(7, 0, 0, bytes(8)) * 500)


OF_NOTHING = {"names": (b"\0\0\0", CALM), "names, Huffman": (b"\0\x80\x80", CALM), "values": (b"\0\1a\0", 0)}


@pytest.mark.parametrize(("field", "code"), OF_NOTHING.values(), ids=OF_NOTHING.keys())
def test_fields_of_nothing(web, field, code):
    """CVE-2019-9516: names and values of no byte, which cost what a field costs."""

    def make(client, _):
        frame = client.head(WEB)
        frame.data += field * (12_000 // len(field))
        return frame.serialize()

    assert attack(web, make, 500) == code
    assert not web.origin.requests


ON_A_STREAM = {
    "empty data": raw(0, 0, 1) * 500,
    "padded data": raw(0, 8, 1, b"\0") * 500,
    "window update": raw(8, 0, 1, b"\0\0\0\1") * 500,
    "empty headers": raw(1, 4, 1) * 500,
}


@pytest.mark.parametrize("frames", ON_A_STREAM.values(), ids=ON_A_STREAM.keys())
def test_frames_of_a_request_that_carry_nothing(web, frames):
    web.origin.script = never()

    def make(client, number):
        return (client.head(WEB, method="POST", end=False).serialize() if number == 0 else b"") + frames

    assert attack(web, make) is not None


ON_A_STREAM_OF_BEFORE = {
    "headers": lambda client: HeadersFrame(1, client.encoder.encode([("x-a", "1")]), flags=["END_HEADERS", "END_STREAM"]).serialize(),
    "a request": lambda client: client.head(WEB, number=1).serialize(),
    "window update": lambda _: raw(8, 0, 1, b"\0\0\0\1"),
}


@pytest.mark.parametrize("frame", ON_A_STREAM_OF_BEFORE.values(), ids=ON_A_STREAM_OF_BEFORE.keys())
def test_frames_on_a_stream_that_is_over(web, frame):
    """nghttp2 drops them, and decodes their fields all the same."""

    def make(client, number):
        if number == 0:
            client.send(client.head(WEB), client.head(WEB))
            assert (client.body(1), client.body(3)) == (b"ok", b"ok")
        return b"".join(frame(client) for _ in range(50))

    assert attack(web, make) == CALM
    assert len(web.origin.requests) == 2


def test_trailers_of_requests_that_were_answered_already_are_no_flood(web):
    """As of a client that has sent its body before it reads the 404: one for each request."""
    with web.rude() as client:
        client.send(WindowUpdateFrame(0, MEGA))
        for _ in range(1000):
            number = client.next
            client.send(client.head("nobody.services.haystack", method="POST", end=False))
            assert client.status(number) == 404
            client.send(DataFrame(number, b"late"), raw(1, 5, number, b"\x00\x03x-a\x011"))
        assert client.status(client.next - 2) == 404
        number = client.next
        client.send(client.head(WEB))
        assert client.status(number) == 200


def test_a_compressed_field_section_that_grows(web):
    """HPACK: a long value once, then named thousands of times with a byte each."""
    (worker,) = web.haystack.workers()
    memory = resident(worker)
    with web.rude() as client:
        used = cpu(worker)
        client.send(client.head(WEB, fields=[("x-bomb", "b" * 3900)]))
        assert client.status(1) == 200
        index = next(n for n in range(62, 80) if client.encoder.header_table.get_by_index(n)[0] == b"x-bomb")
        for _ in range(20):
            frame = client.head(WEB)
            frame.data += bytes([0x80 | index]) * 15_000
            client.send(frame)
        for number in range(3, client.next, 2):
            assert client.status(number) in (431, -2, -CALM, 0)
        assert cpu(worker) - used < MOST_CPU
    assert resident(worker) - memory < 24 * MEGA
    served(web)


def test_field_sections_without_end_on_many_connections(web):
    (worker,) = web.haystack.workers()
    memory = resident(worker)
    clients = [web.rude() for _ in range(50)]
    block = clients[0].encoder.encode([(":method", "GET"), *((f"x-{n}", "x" * 1000) for n in range(60))])
    for client in clients:
        client.send(
            HeadersFrame(1, block[:16000]), *(ContinuationFrame(1, block[at : at + 16000]) for at in range(16000, len(block), 16000))
        )
    served(web)
    assert resident(worker) - memory < 50 * 300_000
    for client in clients:
        client.ended(20)
        client.socket.close()


def test_pings_whose_answers_nobody_reads(web):
    (worker,) = web.haystack.workers()
    memory, used = resident(worker), cpu(worker)
    with web.rude(small=True) as client:
        client.socket.settimeout(1)
        try:
            for _ in range(1000):
                client.send(PingFrame(0, b"12345678").serialize() * 1000)
                if client.unheard:
                    break
        except TimeoutError:
            pass
        served(web)
        assert resident(worker) - memory < 10 * MEGA
        assert cpu(worker) - used < MOST_CPU


def test_windows_that_change_again_and_again(web):
    """CVE-2019-9511 and the like: each SETTINGS changes the windows of all streams."""
    web.origin.script = respond(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000)

    def make(client, number):
        first = b"".join(client.head(WEB).serialize() for _ in range(100)) if number == 0 else b""
        return first + SettingsFrame(0, {4: number % 2}).serialize() * 50

    assert attack(web, make, settings={4: 0}) == CALM


def test_requests_that_never_end(web):
    """Slow POSTs on every stream: they end by their rate, and the connection may have new ones."""
    web.origin.script = respond()
    with web.rude() as client:
        for _ in range(128):
            client.send(client.head(WEB, method="POST", end=False))
        served(web)


def test_a_client_that_downloads_by_small_reads_is_no_flood(web):
    """Some give windows back with each 4 KiB that they read, on the stream and on the connection."""
    size = 32 * MEGA

    async def script(call):
        await call.body()
        await call.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(size // 65536):
            await call.send(b"x" * 65536)

    web.origin.script = script
    with web.rude(settings={4: MEGA}) as client:
        client.send(WindowUpdateFrame(0, MEGA), client.head(WEB))
        got = 0
        while got < size and client.hear(lambda: client.of(DataFrame, 1) or client.over):
            come = sum(len(frame.data) for frame in client.of(DataFrame, 1))
            if not come:
                break
            client.frames = [frame for frame in client.frames if not isinstance(frame, DataFrame)]
            client.send((raw(8, 0, 0, struct.pack(">I", 4096)) + raw(8, 0, 1, struct.pack(">I", 4096))) * (-(-come // 4096)))
            got += come
        assert got == size, client.frames[-3:]


def test_a_page_that_is_left_with_all_its_streams_is_no_flood(web):
    web.origin.script = never()
    with web.rude() as client:
        for _ in range(100):
            client.send(client.head(WEB))
        client.send(*(RstStreamFrame(number, 8) for number in range(1, 201, 2)))
        web.origin.script = respond()
        number = client.next
        client.send(client.head(WEB))
        assert client.status(number) == 200


def test_more_streams_than_may_be_before_settings_are_read_are_no_flood(web):
    """Some clients begin with a thousand at once."""
    with web.rude() as client:
        client.send(*(client.head(WEB) for _ in range(1000)))
        assert client.hear(lambda: all(n in client.sections or client.of(RstStreamFrame, n) for n in range(1, 2001, 2)), 30), client.frames[
            -1
        ]
        number = client.next
        client.send(client.head(WEB))
        assert client.status(number) == 200

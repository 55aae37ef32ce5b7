"""The channel between control and worker: whole messages, in order, and an end that is only an end."""

from __future__ import annotations

import asyncio
import socket
from time import perf_counter

import pytest

from haystack.loop.turns import TURN
from haystack.model.service_options import ServiceOptions
from haystack.proxy import ipc
from haystack.proxy.limits import Limits
from haystack.routing.rows import EndpointRow, ServiceRow, Table

ROW = EndpointRow("a:80/tcp", "10.0.0.1", 80, 100)
SERVICE = ServiceRow("web", ("web", "www"), ServiceOptions(balance="p2c", timeout=60.0, retry=(502, 503), upgrade=("tcp",)), ((ROW,), ()))
LIMITS = Limits(65536, 128, 50_000, 0, 10_000, 75_000, 256, 1000, 3_600_000, 256, 20_000, 0, 1000, 5000, 65536)
MESSAGES = [
    ipc.Setup(3, (80, 8080), "/run/admin", ("", "localhost"), LIMITS),
    ipc.Access(b"\0" * 8, b""),
    Table(7, (SERVICE,)),
    Table(8, ()),
    ipc.TraceOrder(on=True),
    ipc.TraceOrder(on=False, service="web"),
    ipc.Collect(5),
    ipc.Drain(2.5),
    ipc.Ready(7),
    ipc.Counts(
        5, ((1, 12),), 12, (0, 12, 0, 0, 0), 3, (("web", 80, "a:80/tcp", "10.0.0.1", 80),), (("destination_not_found", 404, 2),), (1,)
    ),
    ipc.Lines(memoryview(b"line\n"), 1, 0),
    ipc.Traces((b"\x00\xff", b"")),
]


@pytest.fixture
async def ends():
    left, right = (ipc.Channel(sock) for sock in socket.socketpair())
    await left.open()
    await right.open()
    yield left, right
    left.close()
    right.close()
    await asyncio.sleep(0)


@pytest.fixture
async def raw():
    """A channel, and the bare socket at its other end."""
    mine, theirs = socket.socketpair()
    channel = ipc.Channel(theirs)
    await channel.open()
    mine.setblocking(False)
    with mine:
        yield mine, channel
    channel.close()
    await asyncio.sleep(0)


async def received(channel):
    async with asyncio.timeout(10):
        return [message async for message in channel.messages()]


@pytest.mark.parametrize("message", MESSAGES, ids=[type(m).__name__ for m in MESSAGES])
async def test_a_message_arrives_as_it_was(ends, message):
    left, right = ends
    left.send(message)
    left.close()
    assert await received(right) == [message]


async def test_messages_arrive_in_order_both_ways(ends):
    for sender, receiver in (ends, ends[::-1]):
        for message in MESSAGES:
            sender.send(message)
        arriving = receiver.messages()
        assert [await anext(arriving) for _ in MESSAGES] == MESSAGES


async def test_a_large_table_arrives_whole(ends):
    left, right = ends
    table = Table(1, (SERVICE,) * 50_000)
    left.send(table)
    assert await anext(right.messages()) == table


async def test_where_many_messages_are_there_others_have_their_turn_between_them(ends):
    left, right = ends
    for number in range(200):
        left.send(ipc.Collect(number))
    await asyncio.sleep(0.05)
    turned = []

    async def take():
        async for message in right.messages():
            end = perf_counter() + TURN / 5
            while perf_counter() < end:
                pass
            if message.number == 199:
                return

    taking = asyncio.create_task(take())
    while not taking.done():
        turned.append(1)
        await asyncio.sleep(0)
    assert len(turned) > 20


async def test_a_peer_that_is_gone_ends_the_messages(ends):
    left, right = ends
    left.close()
    assert await received(right) == []
    right.send(ipc.Collect(1))


async def test_what_is_sent_after_closing_is_lost(ends):
    left, right = ends
    left.close()
    left.send(ipc.Collect(1))
    assert await received(right) == []


@pytest.mark.parametrize("size", [0, 1, 3, 4, 5, 6])
async def test_half_a_frame_is_an_end(raw, size):
    peer, channel = raw
    frame = b"\0\0\0\x03abc"[:size]
    await asyncio.get_running_loop().sock_sendall(peer, frame)
    peer.close()
    assert await received(channel) == []


async def test_a_frame_in_pieces_is_a_frame(raw):
    peer, channel = raw
    left, right = socket.socketpair()
    sender = ipc.Channel(left)
    await sender.open()
    sender.send(ipc.Drain(1.0))
    frame = await asyncio.get_running_loop().sock_recv(_free(right), 100)
    arriving = asyncio.ensure_future(anext(channel.messages()))
    for byte in frame:
        await asyncio.get_running_loop().sock_sendall(peer, bytes([byte]))
        await asyncio.sleep(0)
    assert await arriving == ipc.Drain(1.0)
    sender.close()
    right.close()


async def test_a_frame_beyond_the_limit_is_an_end(raw):
    peer, channel = raw
    await asyncio.get_running_loop().sock_sendall(peer, (ipc.MAX_FRAME + 1).to_bytes(4, "big") + b"x")
    assert await received(channel) == []


async def test_a_channel_that_was_never_opened_has_no_messages():
    left, right = socket.socketpair()
    channel = ipc.Channel(left)
    assert await received(channel) == []
    channel.close()
    right.close()


def _free(sock):
    sock.setblocking(False)
    return sock

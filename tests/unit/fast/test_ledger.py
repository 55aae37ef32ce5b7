"""The debug build's ledger: what is made is on it, what is let go of is off it; the release build keeps none."""

from __future__ import annotations

import asyncio
import gc
import socket

import pytest

from haystack._fast.dns import testing
from haystack._fast.dns.cache import Cache
from haystack._fast.dns.pending import Pending
from haystack._fast.dns.responder import Responder
from haystack._fast.dns.rotation import Rotation
from haystack._fast.dns.zone import Zone
from haystack._fast.endpoint.endpoint import Endpoint
from haystack._fast.exchange.listener import Listener
from haystack._fast.net.poller import Poller
from haystack._fast.routing.router import Router
from haystack._fast.util import allocations
from haystack._fast.worker.worker_state import WorkerState
from haystack.dns import wire
from haystack.dns.rows import HostRow, Mark, NodeRow, packed
from tests.fuzz.rig import HandLoop

counted = pytest.mark.skipif(not allocations.DEBUG, reason="only the debug build counts")


def grown(before):
    gc.collect()
    now = allocations.live()
    return {name: now[name] - before[name] for name in now if now[name] != before[name]}


@pytest.mark.skipif(allocations.DEBUG, reason="only the release build counts nothing")
def test_the_release_build_counts_nothing():
    endpoint = Endpoint("a", ("10.0.0.1", 80))
    assert set(allocations.live().values()) == {0}
    del endpoint


@counted
def test_a_cell_is_counted_while_it_lives():
    gc.collect()
    before = allocations.live()
    endpoint = Endpoint("a", ("10.0.0.1", 80))
    assert grown(before) == {"endpoints": 1}
    del endpoint
    assert grown(before) == {}


@counted
async def test_a_plane_and_its_listener_are_counted_until_they_are_let_go_of():
    gc.collect()
    before = allocations.live()
    with socket.create_server(("127.0.0.1", 0)) as sock:
        sock.setblocking(False)
        poller = Poller(asyncio.get_running_loop(), lambda _error: None)
        worker = WorkerState(poller, Router(), [80])
        listener = Listener(worker, sock.fileno(), 0)
        assert grown(before) == {"sockets": 1, "buffers": 1}
        listener.stop()
        poller.stop()
        del listener, worker, poller
        assert grown(before) == {}


@counted
def test_what_dns_keeps_is_counted_until_it_is_let_go_of():
    gc.collect()
    before = allocations.live()
    loop, name = HandLoop(), wire.name("www.example.org")
    zone, replies = Zone(wire.name("haystack"), 5), []
    zone.put([(wire.name("haystack"), packed(Mark.APEX, NodeRow((HostRow(b"\x0a\0\0\1"),))))])
    responder = Responder(zone, Cache(1 << 20), Rotation())
    assert responder.ask(wire.question(wire.name("haystack"), wire.A))
    poller = Poller(loop, lambda _error: None)
    pending = Pending(poller, responder, lambda _rows: None, 8)
    testing.ask(pending, wire.question(name, wire.A), replies)
    assert grown(before) == {"views": 1, "waiters": 1}
    pending.told(1, wire.RA, b"", b"", b"", (0, 0, 0), b"", 60)
    assert len(replies) == 1
    assert grown(before) == {"views": 1, "answers": 1}
    poller.stop()
    loop.soon.clear()
    del zone, responder, poller, pending
    assert grown(before) == {}

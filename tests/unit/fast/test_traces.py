"""What a worker keeps of traces until it can send them up."""

import socket

import pytest

from haystack._fast.exchange.listener import Listener
from haystack._fast.net.poller import Poller
from haystack._fast.routing.router import Router
from haystack._fast.worker.worker_state import WorkerState
from haystack.proxy import limits
from haystack.settings.settings import Settings
from tests.fuzz.rig import HandLoop

ROOM = 500
GET = b"GET / HTTP/1.1\r\nHost: nobody.example\r\n\r\n"


class Site:
    """A worker that serves nothing: every request is answered by itself, with 404."""

    def __init__(self):
        self.loop, self.errors = HandLoop(), []
        self.poller = Poller(self.loop, self.errors.append)
        self.worker = WorkerState(self.poller, Router(), [80])
        self.worker.limits.set(limits.of(Settings()))
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.socket.setblocking(False)
        self.listener = Listener(self.worker, self.socket.fileno(), 0)
        self.client = socket.create_connection(self.socket.getsockname())

    def ask(self, times):
        """So many requests on one connection, each answered."""
        self.client.settimeout(5)
        for _ in range(times):
            self.client.sendall(GET)
            while self.loop.turn():
                pass
            assert self.client.recv(65536).startswith(b"HTTP/1.1 404 ")

    def close(self):
        self.client.close()
        self.listener.stop()
        self.poller.stop()
        self.socket.close()


@pytest.fixture
def site():
    made = Site()
    yield made
    made.close()
    assert made.errors == []


def test_a_worker_keeps_so_many_traces_and_counts_the_others(site):
    site.worker.traces.switch(True)
    site.ask(ROOM + 7)
    traces, lost = site.worker.traces.take()
    assert (len(traces), lost) == (ROOM, 7)
    site.ask(1)
    traces, lost = site.worker.traces.take()
    assert (len(traces), lost) == (1, 0)

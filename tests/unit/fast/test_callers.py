"""Which clients called which services: a pair for each connection that turns to a service, in bounds."""

from __future__ import annotations

import socket

import pytest

from haystack._fast.balance import pickers
from haystack._fast.endpoint.endpoint import Endpoint, Member, Route
from haystack._fast.exchange.listener import Listener
from haystack._fast.net.networks import Networks
from haystack._fast.net.poller import Poller
from haystack._fast.routing.router import Router
from haystack._fast.worker.worker_state import WorkerState
from haystack.proxy import limits
from haystack.settings.settings import Settings
from tests.fuzz.rig import EVERYBODY, HandLoop


class Site:
    """A worker with two services that have no endpoint that answers."""

    def __init__(self, networks):
        self.loop, self.errors, self.clients = HandLoop(), [], []
        self.poller = Poller(self.loop, self.errors.append)
        router = Router()
        for name in ("web", "api"):
            route = Route(name, pickers.make("p2c", [Member(Endpoint(name, "/nonexistent"), name, 80)], [100]), 1000)
            router.put(name.encode(), b"/", (route,))
        self.worker = WorkerState(self.poller, router, [80], networks)
        self.worker.limits.set(limits.of(Settings()))
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.socket.setblocking(False)
        self.listener = Listener(self.worker, self.socket.fileno(), 0)

    def ask(self, *hosts):
        """A connection on which these are asked, one after the other."""
        client = socket.create_connection(self.socket.getsockname())
        client.settimeout(5)
        self.clients.append(client)
        for host in hosts:
            client.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            while self.loop.turn():
                pass
            assert client.recv(65536).startswith(b"HTTP/1.1 ")

    def told(self):
        return [(client, service, times) for client, service, _, times in self.worker.clients.callers.told()]

    def close(self):
        for client in self.clients:
            client.close()
        self.listener.stop()
        self.poller.stop()
        self.socket.close()


@pytest.fixture
def site(request):
    made = Site(getattr(request, "param", EVERYBODY))
    yield made
    made.close()
    assert made.errors == []


def test_a_connection_counts_once_for_a_service_that_it_calls_again_and_again(site):
    site.ask("web", "web", "web")
    site.ask("web")
    assert site.told() == [("127.0.0.1", "web", 2)]


def test_a_connection_that_turns_to_another_service_has_called_both(site):
    site.ask("web", "api", "api")
    assert site.told() == [("127.0.0.1", "web", 1), ("127.0.0.1", "api", 1)]
    assert all(0 <= ago < 60 for _, _, ago, _ in site.worker.clients.callers.told())


@pytest.mark.parametrize("site", [Networks()], indirect=True)
def test_strangers_are_not_remembered(site):
    site.ask("web")
    assert site.told() == []

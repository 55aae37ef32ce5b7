"""Which clients called which services: a pair for each connection that turns to a service, in bounds."""

from __future__ import annotations

import random
import socket

import pytest

from haystack._fast.balance import pickers
from haystack._fast.endpoint.endpoint import Endpoint, Member, Route
from haystack._fast.exchange.listener import Listener
from haystack._fast.net.networks import Networks
from haystack._fast.net.poller import Poller
from haystack._fast.routing.router import Router
from haystack._fast.testing import note_caller
from haystack._fast.worker.callers import Callers
from haystack._fast.worker.worker_state import WorkerState
from haystack.model.service_options import ServiceOptions
from haystack.proxy import limits
from haystack.settings.settings import Settings
from tests.fuzz.rig import EVERYBODY, HandLoop

PLACES = 2048


class Site:
    """A worker with two services that have no endpoint that answers."""

    def __init__(self, networks):
        self.loop, self.errors, self.clients = HandLoop(), [], []
        self.poller = Poller(self.loop, self.errors.append)
        router = Router()
        for name in ("web", "api"):
            route = Route(name, pickers.make("p2c", [Member(Endpoint(name, "/nonexistent"), name, 80)], [100]), ServiceOptions(timeout=1.0))
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


def test_rows_are_those_of_the_pairs_that_were_noted_last():
    """Against an ordered dict: so many pairs at most, the newest last, and a service by its name, whichever str that is."""
    numbers = random.Random(7)
    callers, model = Callers(), {}
    for now in range(4 * PLACES):
        address, number = f"10.0.{numbers.randrange(8)}.{numbers.randrange(128)}", numbers.randrange(4)
        service = "".join(("web", str(number)))  # another str each time
        note_caller(callers, address.encode(), service, now)
        model[address, service] = model.pop((address, service), 0) + 1
        if len(model) > PLACES:
            del model[next(iter(model))]
    assert len(model) == PLACES
    assert [(client, service, times) for client, service, _, times in callers.told()] == [(*pair, times) for pair, times in model.items()]


def test_addresses_of_all_lengths_are_told_as_they_came():
    callers = Callers()
    addresses = ["", "::1", "10.0.0.12", "255.255.255.255", "2001:db8:1234:5678:9abc:def0:1234:5678", "x" * 48]
    for address in addresses:
        note_caller(callers, address.encode(), "web", 1)
    assert [client for client, _, _, _ in callers.told()] == addresses

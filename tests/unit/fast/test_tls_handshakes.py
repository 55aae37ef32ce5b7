"""Handshakes of a worker, turned by hand: how many have their turn at once, and which tickets of before are good."""

from __future__ import annotations

import os
import socket
import ssl
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.fakes.tls import trusting
from tests.unit.fast.test_tls import LAST, REQUEST, Client, Edge

STEPS = 8  # as in tls.pyx


@pytest.fixture
def edge(tmp_path: Path) -> Iterator[Edge]:
    made = Edge(tmp_path, socket.AF_INET)
    yield made
    made.close()


def greeting(edge: Edge) -> Client:
    """One whose hello has been sent."""
    made = Client(edge.connect(), trusting(edge.trust))
    made.begin()
    return made


def answered(client: Client) -> bool:
    client.sock.setblocking(False)
    try:
        return bool(client.sock.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return False


def test_so_many_have_their_turn_at_once_and_others_are_served_meanwhile(edge: Edge) -> None:
    """In the order in which they came: who comes later goes behind those that were put off."""
    served = edge.client()
    clients = [greeting(edge) for _ in range(64)]
    served.say(REQUEST)
    late: list[Client] = []
    counts = [0]
    while not late or not all(map(answered, late)):
        time.sleep(0.001)  # who is called back sooner than this is busy, and has several batches in a turn
        edge.turn()
        counts.append(sum(map(answered, [*clients, *late])))
        if edge.worker.clients.count == 1 + len(clients) and not late:  # all are there
            assert answered(served)
            assert counts[-1] < len(clients) - 3 * STEPS
            late = [greeting(edge) for _ in range(4)]
        assert all(map(answered, clients)) or not any(map(answered, late))
    assert max(after - before for before, after in pairwise(counts)) == STEPS
    for client in (served, *clients, *late):
        client.sock.close()
    edge.settle()


@pytest.fixture(params=[ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def context(edge: Edge, request: pytest.FixtureRequest) -> ssl.SSLContext:
    """Of clients that speak one version."""
    return trusting(edge.trust, minimum_version=request.param, maximum_version=request.param)


def visit(edge: Edge, context: ssl.SSLContext, session: ssl.SSLSession | None = None) -> tuple[bool, ssl.SSLSession]:
    """Whether it was resumed, and what the next one can go on from."""
    client = Client(edge.connect(), context, session)
    edge.beside(client.handshake)
    client.say(LAST)
    edge.beside(client.rest)
    client.sock.close()
    edge.settle()
    assert client.tls.session is not None
    return client.tls.session_reused, client.tls.session


def test_a_ticket_of_the_key_before_is_good_and_is_replaced(edge: Edge, context: ssl.SSLContext) -> None:
    old, new = os.urandom(80), os.urandom(80)
    edge.tls.set_keys([old])
    _, first = visit(edge, context)
    edge.tls.set_keys([new, old])
    was_resumed, second = visit(edge, context, first)
    assert was_resumed
    edge.tls.set_keys([new])
    assert visit(edge, context, second)[0], "its ticket is of the key of before still"


def test_a_ticket_whose_key_has_gone_begins_anew(edge: Edge, context: ssl.SSLContext) -> None:
    _, session = visit(edge, context)
    edge.tls.set_keys([os.urandom(80)])
    was_resumed, session = visit(edge, context, session)
    assert not was_resumed
    assert visit(edge, context, session)[0]
    assert (edge.tls.handshakes, edge.tls.resumed, edge.tls.failed) == (3, 1, 0)

"""What a listener does when a client can't be taken in: nothing leaks, and it never turns in circles."""

from __future__ import annotations

import os
import resource
import select
import socket
from contextlib import contextmanager

import pytest

from haystack._fast.exchange.listener import Listener
from haystack._fast.net.poller import Poller
from haystack._fast.routing.router import Router
from haystack._fast.worker.worker_state import WorkerState
from haystack.proxy import limits
from haystack.settings.settings import Settings
from tests.fakes.shortage import descriptors, no_more_descriptors
from tests.fakes.worker import until


class Hand:
    """As much of a loop as a poller needs, turned by hand."""

    def __init__(self):
        self.soon = []

    def add_reader(self, fd, callback):
        self.fd, self.callback = fd, callback

    def remove_reader(self, fd):
        pass

    def call_soon(self, callback):
        self.soon.append(callback)

    def ready(self, seconds=0.0):
        """Whether a real loop would call back."""
        return bool(self.soon or select.select([self.fd], [], [], seconds)[0])


class Door:
    """A listening socket and the listener on it."""

    def __init__(self):
        self.errors = []
        self.loop = Hand()
        self.poller = Poller(self.loop, self.errors.append)
        self.worker = WorkerState(self.poller, Router(), [80])
        self.worker.limits.set(limits.of(Settings()))
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.socket.setblocking(False)

    def open(self):
        self.listener = Listener(self.worker, self.socket.fileno(), 0)

    def connect(self):
        return socket.create_connection(self.socket.getsockname())

    def turn(self):
        """One turn of the loop, if there is a cause."""
        assert self.loop.ready(2)
        self.loop.soon.clear()
        self.loop.callback()

    def swept(self):
        """The worker, with all that was due done."""
        self.poller.sweep()
        return self.worker

    def close(self):
        self.listener.stop()
        self.poller.stop()
        self.socket.close()


@pytest.fixture
def door():
    made = []

    def make():
        made.append(Door())
        return made[-1]

    yield make
    for each in made:
        each.close()


@contextmanager
def nobody_can_be_watched(fd):
    """This epoll instance is none meanwhile."""
    kept, null = os.dup(fd), os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, fd)
    try:
        yield
    finally:
        os.dup2(kept, fd)
        os.close(kept)
        os.close(null)


def test_a_client_whose_admission_fails_keeps_no_descriptor(door):
    of = door()
    of.open()
    with of.connect() as client, nobody_can_be_watched(of.loop.fd):
        before = descriptors()
        of.listener.stop()  # which accepts who waits
        assert len(before - descriptors()) == 2, "the listener's own and its spare one"
        assert descriptors() < before
        assert [str(error) for error in of.errors] == ["[Errno 22] epoll_ctl"]
        assert client.recv(1) == b"", "its connection is closed at once"
    assert of.worker.clients.count == 0


def test_without_descriptors_clients_are_sent_away_and_not_kept_ready(door):
    """One is given up for a moment, so that the queue empties."""
    of = door()
    of.open()
    with of.connect() as first, of.connect() as second:
        with no_more_descriptors():
            of.turn()
            of.turn()
            assert not of.loop.ready(), "the listener would be called for ever"
        assert (first.recv(1), second.recv(1)) == (b"", b"")
    with of.connect():
        of.turn()
        assert of.worker.clients.count == 1


def test_without_even_a_spare_one_clients_wait_and_the_listener_rests(door):
    of = door()
    with no_more_descriptors():
        old = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (old[0] + 1, old[1]))
        of.open()  # one for its own copy of the socket, none to spare
    with of.connect():
        with no_more_descriptors():
            of.turn()
            assert not of.loop.ready(), "the listener would be called for ever"
            assert of.worker.clients.count == 0
            assert of.errors == []
        until(lambda: of.swept().clients.count == 1, 3, "who waited was never taken in")

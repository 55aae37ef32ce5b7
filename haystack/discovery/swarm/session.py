"""One connection to one manager: subscribe, poll, and poll again when something happens, or time says so. Runs in the Swarm's thread.

Managers tell of services and nodes by events, of tasks by none: while an update runs, or tasks are on their way, it polls each second.
Never does: choosing a manager (provider.py), touching the event loop.
"""

from __future__ import annotations

import json
import queue
import time
from collections.abc import Callable

import structlog

from haystack.discovery.docker import client as border
from haystack.discovery.docker.event_reader import EventReader
from haystack.discovery.docker.events import Event
from haystack.discovery.swarm import tasks as containers
from haystack.discovery.swarm.answers import Service, Task
from haystack.discovery.swarm.manager import Manager
from haystack.discovery.swarm.members import Members
from haystack.discovery.swarm.picture import Picture
from haystack.discovery.swarm.timing import Timing

KINDS = ("service", "node")
_log = structlog.get_logger()
_END, _NEWS = object(), object()


class SessionEndedError(Exception):
    """The manager's event stream is at its end: it went away, or we are closing."""


class Session:
    """host: as it is shown; members outlives it: what was known stays known while no manager answers."""

    def __init__(
        self, client: border.Client, manager: Manager, members: Members, deliver: Callable[[Picture], None], timing: Timing, host: str
    ) -> None:
        self.polls = 0
        self._client, self._manager, self._members = client, manager, members
        self._deliver, self._timing, self._host = deliver, timing, host
        self._queue: queue.SimpleQueue[object] = queue.SimpleQueue()
        self._stirred = time.monotonic()  # when something happened last
        self._events = EventReader(self._hear)

    def run(self) -> None:
        """Poll and follow until the connection fails (raises what failed it) or close() is called."""
        self._events.start(border.events(self._client, filters=json.dumps({"type": KINDS})))
        try:
            while not self._events.closed.is_set():
                pause = self._poll()
                self._wait(pause)
        finally:
            self.close()
            self._events.join()

    def poke(self) -> None:
        """Poll soon, from any thread: something has happened."""
        self._queue.put(_NEWS)

    def close(self) -> None:
        """End run() from any thread, at once."""
        self._events.close()
        self._client.end_calls()

    def _hear(self, event: Event | None) -> None:
        if event is None or event.kind in KINDS:
            self._queue.put(_END if event is None else _NEWS)

    def _poll(self) -> float:
        """Ask for everything, and tell what is new. The seconds until the next time."""
        # services first: a task of one that is not known yet is looked at the next time
        services, nodes, tasks = self._manager.services(), self._manager.nodes(), self._manager.tasks()
        told = self._manager.told(self._members.running(tasks), tasks, services, nodes)
        picture = self._members.take(told, self._host)
        self.polls += 1
        if self.polls == 1:
            _log.info("swarm.followed", manager=self._host)
        if picture is not None:
            self._stirred = time.monotonic()
            self._deliver(picture)
        return self._timing.busy if self._is_busy(services, tasks, told.leaving) else self._timing.rest

    def _is_busy(self, services: list[Service], tasks: list[Task], leaving: list[Task]) -> bool:
        """Whether there may be news within seconds."""
        quiet = time.monotonic() - self._stirred
        if quiet < self._timing.stirred or leaving or any(map(_updating, services)):
            return True
        return quiet < self._timing.patient and any(task.status.state in containers.COMING and not task.status.err for task in tasks)

    def _wait(self, pause: float) -> None:
        """Until the next poll is due, or something happens. Raises SessionEndedError."""
        begun = time.monotonic()
        try:
            item = self._queue.get(timeout=pause)
        except queue.Empty:
            return
        self._events.closed.wait(self._timing.gap - (time.monotonic() - begun))  # what happens together is asked for once
        while item is not _END:
            self._stirred = time.monotonic()
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                return
        if not self._events.closed.is_set():
            raise SessionEndedError("the event stream ended")


def _updating(service: Service) -> bool:
    return service.updating

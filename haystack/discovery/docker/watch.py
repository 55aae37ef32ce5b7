"""One connection to one engine: subscribe, list, then follow its events. Runs in the provider's thread and may block.

Each change looks again at just that container and delivers the whole list. A container that is told to stop leaves at
once, before anything is asked. Never does: reconnecting (provider.py), touching the event loop.
"""

from __future__ import annotations

import queue
import time
from collections import deque
from collections.abc import Callable

import structlog
from msgspec.structs import replace

from haystack.discovery import own_place
from haystack.discovery.docker import client as border
from haystack.discovery.docker import events, inspect
from haystack.discovery.docker.engine_view import View
from haystack.discovery.docker.event_reader import EventReader
from haystack.discovery.docker.events import Effect, Event
from haystack.discovery.docker.inspections import Looks
from haystack.discovery.docker.timing import Timing
from haystack.model.records import Engine, Listing
from haystack.observe.bursts import Crowd

SEEN = 512  # events: more than an engine keeps to tell again (256)
_log = structlog.get_logger()


class StreamEndedError(Exception):
    """The engine's event stream is at its end: it went away, or we are closing."""


class Watch:
    """One session. view outlives it: what was known stays known while the engine is away.

    since: where in the engine's events to resume (seconds.nanoseconds), or None at the first time; seen: the stamps of the last SEEN
    events, of the sessions before too. Stamps need not grow: events overtake each other, and clocks are set back.
    """

    def __init__(
        self, client: border.Client, view: View, deliver: Callable[[Listing], None], timing: Timing, since: str | None, seen: deque[str]
    ) -> None:
        self.since = since
        self.listed = False
        self._client = client
        self._view = view
        self._looks = Looks(client, view, timing.answer)
        self._crowd = Crowd(__name__)
        self._deliver = deliver
        self._timing = timing
        self._seen = seen
        self._queue: queue.SimpleQueue[object] = queue.SimpleQueue()
        self._waiting: deque[Event] = deque()
        self._again: dict[str, float] = {}
        self._pauses: dict[str, float] = {}  # before the next look at one that can't be looked at
        self._told: set[str] = set()  # looked at because of an event since the last list was asked for
        self._autopsies: dict[str, float] = {}
        self._dirty: float | None = None
        self._event = 0.0  # when the first was that is not published yet, Unix seconds by the engine's clock
        self._next_relist = 0.0
        self._heard = time.monotonic()
        self._events = EventReader(self._queue.put)

    def run(self, describe: Callable[[object, object], Engine]) -> None:
        """List and follow until the connection fails (raises what failed it) or close() is called."""
        info = self._client.info()
        self._view.engine = describe(info, self._client.version())
        # From the engine's own clock: it answers before it has subscribed us, and replays what came in between.
        now = inspect.moment(inspect.mapping(info).get("SystemTime")) or time.time()
        if self.since is None or float(self.since) > now + border.CLOCK_SLACK:  # its clock went back: what was told is in the future
            self.since = f"{now:.9f}"
        self._events.start(self._client.events(since=self.since))
        self._again.update(self._view.stopping())  # marked in a session before this one
        try:
            self._relist()
            self._follow()
        finally:
            self.close()
            self._events.join()

    def close(self) -> None:
        """End run() from any thread, at once."""
        self._events.close()

    # -- listing

    def _relist(self) -> None:
        """Look at everything; what is known stays shown until all has been seen."""
        self._renetwork()
        self._told.clear()
        listed = [inspect.text(inspect.mapping(c).get("Id")).lower() for c in border.listed(self._client, "/containers/json")]
        for identity in filter(None, listed):
            self._look(identity)
            self._drain()
        self._view.keep([*listed, *self._told])
        self._next_relist = time.monotonic() + self._timing.relist
        self.listed = True
        self._publish()

    def _renetwork(self) -> None:
        engine = self._view.engine
        found = [inspect.network(raw, engine.id if engine else "") for raw in border.listed(self._client, "/networks")]
        # Its own addresses anew, and after the list: a network that was made meanwhile gave this machine one.
        self._view.set_networks((n for n in found if n is not None), own_place.addresses(), own_place.attached())

    def _look(self, identity: str) -> None:
        """Look at one container; where the engine can't say, again after a pause that doubles each time."""
        if self._looks.look(identity):
            self._pauses.pop(identity, None)
            return
        pause = self._pauses.get(identity, self._timing.again)
        self._pauses[identity] = min(pause * 2, self._timing.relist)
        self._again.setdefault(identity, time.monotonic() + pause)

    # -- following

    def _follow(self) -> None:
        """Events and timers, until the stream ends."""
        while not self._events.closed.is_set():
            event = self._next()
            if event is not None:
                self._handle(event)
            self._due()
            self._tell()

    def _next(self) -> Event | None:
        """The next event; None after a wait in which a timer fell due, or the engine proved to be there."""
        if self._waiting:
            return self._waiting.popleft()
        now = time.monotonic()
        until = min([self._next_relist, self._heard + self._timing.ping, *self._again.values(), *self._autopsies.values()])
        try:
            return self._taken(self._queue.get(timeout=until - now) if until > now else self._queue.get_nowait())
        except queue.Empty:
            return self._probe() if time.monotonic() >= self._heard + self._timing.ping else None

    def _probe(self) -> Event | None:
        """A silent stream may be a dead one: ask the engine whether it is there and what it has told. Raises when either went wrong.

        An event that came meanwhile is the next one.
        """
        told = border.missed(self._client, self.since or "0", self._timing.answer)
        if told is None:
            raise StreamEndedError("the engine's clock went back")
        self._heard = time.monotonic()
        if self._view.move(own_place.attached()):
            self._touch()
        if {event.stamp for event in map(events.read, told) if event} <= {"", *self._seen}:
            return None
        try:
            return self._taken(self._queue.get(timeout=self._timing.late))
        except queue.Empty:
            raise StreamEndedError("the event stream fell silent") from None

    def _taken(self, item: object) -> Event | None:
        """An item of the queue as an event, with `since` moved on; None for one that was seen before the reconnect."""
        if not isinstance(item, Event):
            raise StreamEndedError("the event stream ended")
        self._heard = time.monotonic()
        if item.stamp in self._seen:
            return None
        if item.stamp:
            self.since = item.stamp
            self._seen.append(item.stamp)
        return item

    def _drain(self) -> None:
        """During a long list what happens counts at once; during the first one, which is not told yet, only that containers stop."""
        while True:
            try:
                event = self._taken(self._queue.get_nowait())
            except queue.Empty:
                return
            if event is None:
                continue
            if self.listed or self._effect(event) in _URGENT:
                self._handle(event)
                self._tell()
            else:
                self._waiting.append(event)

    def _effect(self, event: Event) -> Effect:
        return events.effect(event, self._view.stop_signal(event.container))

    def _handle(self, event: Event) -> None:
        """Do what one event asks for. One from before the container's present start is history."""
        effect, identity = self._effect(event), event.container
        if event.action == "oom":
            self._starved(identity)
        if effect is Effect.NOTHING:
            return
        if effect in _URGENT and self._history(event):
            return
        if effect is Effect.STOPPING:
            until = self._again[identity] = time.monotonic() + self._timing.stopping
            self._view.mark(identity, event.signal, event.seconds or time.time(), until)
        elif effect is Effect.GONE:
            self._end(event)
        elif effect is Effect.PAUSED:
            self._view.pause(identity, event.seconds or time.time())
        elif effect is Effect.NETWORKS:
            self._renetwork()
            if identity in self._view:
                self._look(identity)
        else:
            self._told.add(identity)
            self._look(identity)
        self._event = self._event or event.seconds
        self._touch()

    def _history(self, event: Event) -> bool:
        """Whether an event is from before the container's present start. Its clock may have gone back since: then times prove nothing."""
        started = self._view.started(event.container)
        if not event.at or event.seconds >= started:
            return False
        now = border.clock(self._client, self._timing.answer)
        return now is None or started <= now + 1  # the fraction is cut off

    def _starved(self, identity: str) -> None:
        """Told once, for the engine tells it many times; and often not before the end."""
        if self._view.gone.starved(identity):
            name = self._view.name(identity) or self._view.gone.name(identity)
            _log.warning("container.starved", name=name, id=identity[:12], reason="a process in it was killed because memory ran out")
            self._touch()

    def _end(self, event: Event) -> None:
        """A container's process has ended. How is for those who run it, not for its clients: for the log and the shell alone."""
        identity = event.container
        for kept in (self._again, self._pauses):
            kept.pop(identity, None)
        if event.action != "die":
            self._view.remove(identity)
            return
        name, killed = self._view.name(identity), self._view.signal(identity)
        self._crowd.info("container.died", name=name, id=identity[:12], exit=event.status, signal=killed)
        self._view.end(identity, event.seconds or time.time(), event.status)
        self._autopsies[identity] = time.monotonic() + self._timing.burst

    def _due(self) -> None:
        """What time itself asks for: another look at a container, or at all of them."""
        now = time.monotonic()
        for identity in [i for i, at in self._autopsies.items() if at <= now]:
            del self._autopsies[identity]
            if self._looks.examine(identity):
                self._touch()
        for identity in [i for i, at in self._again.items() if at <= now]:
            del self._again[identity]
            self._view.unmark(identity)
            self._look(identity)
            self._touch()
        if now >= self._next_relist:
            self._relist()

    def _touch(self) -> None:
        if self._dirty is None:
            self._dirty = time.monotonic()

    def _tell(self) -> None:
        """Publish what has changed, once nothing more is there to go with it or it has waited for long enough."""
        if not self.listed or self._dirty is None:
            return
        if (self._queue.empty() and not self._waiting) or time.monotonic() - self._dirty > self._timing.burst:
            self._publish()

    def _publish(self) -> None:
        self._dirty, told, self._event = None, self._event, 0.0
        self._deliver(replace(self._view.listing(), told=told))


_URGENT = frozenset({Effect.STOPPING, Effect.GONE, Effect.PAUSED})

"""One connection to one engine: subscribe, list, then follow its events. Runs in the provider's thread.

Each change has just that container looked at again, and delivers the whole list. A container that is told to stop leaves at once, before
anything is asked: what is asked is asked in other threads (asking.py), and what they find comes in one queue with the events.
Never does: reconnecting (provider.py), touching the event loop.
"""

from __future__ import annotations

import queue
import time
from collections import deque
from collections.abc import Callable
from threading import TIMEOUT_MAX

import structlog
from msgspec.structs import replace

from haystack.discovery import own_place
from haystack.discovery.docker import client as border
from haystack.discovery.docker import events, inspect
from haystack.discovery.docker.asking import Asking
from haystack.discovery.docker.engine_view import View
from haystack.discovery.docker.event_reader import EventReader
from haystack.discovery.docker.events import Effect, Event
from haystack.discovery.docker.exit_details import ExitDetails
from haystack.discovery.docker.inspections import Looks
from haystack.discovery.docker.silence import Silence, StreamEndedError
from haystack.discovery.docker.surroundings import Nets, Networks
from haystack.discovery.docker.timing import Timing
from haystack.discovery.docker.turns import Look, Turns
from haystack.model.records import Engine, Listing
from haystack.observe.bursts import Crowd

SEEN = 512  # events: more than an engine keeps to tell again (256)
_log = structlog.get_logger()


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
        self._client, self._view, self._timing = client, view, timing
        self._deliver = deliver
        self._seen = seen
        self._crowd = Crowd(__name__)
        self._queue: queue.SimpleQueue[Event | Callable[[], None] | None] = queue.SimpleQueue()
        self._events = EventReader(self._queue.put)
        self._asking = Asking(client, self._queue.put)
        self._turns = Turns(timing.again, timing.relist)
        self._looks = Looks(client, view, self._asking, self._turns, timing.answer, self._crowd, self._looked)
        self._exit_details = ExitDetails(client, view, self._asking, timing.answer, timing.burst, self._crowd, self._touch)
        self._networks = Networks(client, self._asking, self._placed, lambda: bool(view.networks))
        self._silence = Silence(client, self._asking, timing, seen, self._there)
        self._stopping: dict[str, float] = {}  # until when it is believed that a container stops
        self._told: set[str] = set()  # looked at because of an event since the last list was asked for
        self._dirty: float | None = None
        self._urgent = False  # among what has changed is something that waits for nothing else
        self._event = 0.0  # when the first was that is not published yet, Unix seconds by the engine's clock
        self._relists = True  # a list is being made
        self._asked = False  # for that list
        self._next_relist = 0.0

    def run(self, describe: Callable[[object, object], Engine]) -> None:
        """List and follow until the connection fails (raises what failed it) or close() is called."""
        info = border.info(self._client)
        self._view.engine = describe(info, border.version(self._client))
        # From the engine's own clock: it answers before it has subscribed us, and replays what came in between.
        now = inspect.moment(inspect.mapping(info).get("SystemTime")) or time.time()
        if self.since is None or float(self.since) > now + border.CLOCK_SLACK:  # its clock went back: what was told is in the future
            self.since = f"{now:.9f}"
        self._events.start(border.events(self._client, since=self.since))
        self._stopping.update(self._view.stopping())  # marked in a session before this one
        try:
            self._relist()
            self._follow()
        finally:
            self.close()
            self._events.join()
            self._asking.close()

    def close(self) -> None:
        """End run() from any thread, at once."""
        self._events.close()
        self._client.end_calls()

    # -- listing

    def _relist(self) -> None:
        """Look at everything; what is known stays shown until it has been seen to be gone."""
        self._relists, self._asked = True, False
        self._told.clear()
        self._asking.ask(self._ask_list, self._take_list)

    def _ask_list(self) -> tuple[Nets, list[str]]:
        """In a thread of its own."""
        nets = self._networks.asked()
        listed = (inspect.text(inspect.mapping(c).get("Id")).lower() for c in border.listed(self._client, "/containers/json"))
        return nets, [identity for identity in listed if identity]

    def _take_list(self, answer: tuple[Nets, list[str]]) -> None:
        self._place(answer[0])
        self._view.keep([*answer[1], *self._told])
        self._turns.want_all(answer[1])
        self._asked = True

    def _take_round(self) -> None:
        """All that the list has named have been looked at."""
        self._relists = False
        self._next_relist = time.monotonic() + self._timing.relist
        self.listed = True
        self._publish()

    def _place(self, nets: Nets) -> None:
        if not self._networks.accepts(nets):
            return
        engine = self._view.engine
        told = [n for raw in nets.raw if (n := inspect.network(raw, engine.id if engine else "")) is not None]
        self._view.set_networks(self._view.networks if nets.error else told, nets.addresses, nets.attached)

    def _placed(self, nets: Nets, identities: set[str], told: float) -> None:
        """The networks have been looked at again, because of events about them and these containers."""
        self._place(nets)
        for identity in identities:
            if identity in self._view:
                self._turns.want(identity, told)
        self._event = self._event or told
        self._touch()

    def _looked(self, look: Look) -> None:
        """A container has been looked at. One of many in a list is told with the others."""
        if not look.listed:
            self._event = self._event or look.told
            self._touch()

    # -- following

    def _follow(self) -> None:
        """Events, answers and timers, until the stream ends."""
        while not self._events.closed.is_set():
            self._due()
            self._wait()
            self._tell()

    def _wait(self) -> None:
        """Take what comes, events and answers, unless a timer falls due before.

        All that is there already before anybody else is asked about, but for no longer than changes may wait.
        """
        now, wake = time.monotonic(), self._wake()
        try:
            item = self._queue.get(timeout=min(wake - now, TIMEOUT_MAX)) if wake > now else self._queue.get_nowait()
            end = time.monotonic() + self._timing.burst
            self._receive(item)
            while time.monotonic() < end:
                self._receive(self._queue.get_nowait())
        except queue.Empty:
            return

    def _receive(self, item: Event | Callable[[], None] | None) -> None:
        if item is None:
            raise StreamEndedError("the event stream ended")
        if isinstance(item, Event):
            self._take(item)
        else:
            item()

    def _wake(self) -> float:
        """When the first timer falls due; infinity where an answer is all there is to wait for."""
        times = [self._silence.wake(), self._turns.wake(), self._exit_details.wake(), *self._stopping.values()]
        if not self._relists:
            times.append(self._next_relist)
        if self._dirty is not None and self.listed:
            times.append(self._dirty + self._timing.burst)
        return min(times)

    def _due(self) -> None:
        """What time itself asks for, and whose turn it is to be asked about."""
        now = time.monotonic()
        self._silence.begin(self.since or "0", more=not self._queue.empty())
        for identity in [i for i, at in self._stopping.items() if at <= now]:
            del self._stopping[identity]
            self._view.unmark(identity)
            self._turns.want(identity)
            self._touch()
        if self._relists:
            if self._asked and self._turns.round_over:
                self._take_round()
        elif now >= self._next_relist:
            self._relist()
        self._exit_details.begin()
        self._looks.begin()

    def _there(self) -> None:
        """Nothing has happened for a while; but Haystack itself may be elsewhere."""
        if self._view.move(own_place.attached()):
            self._touch()

    def _take(self, event: Event) -> None:
        """An event of the stream, with `since` moved on; one that was seen before the reconnect counts for nothing."""
        self._silence.end()
        if event.stamp in self._seen:
            return
        if event.stamp:
            self.since = event.stamp
            self._seen.append(event.stamp)
        self._handle(event)

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
            until = self._stopping[identity] = time.monotonic() + self._timing.stopping
            self._view.mark(identity, event.signal, event.seconds or time.time(), until)
        elif effect is Effect.GONE:
            self._end(event)
        elif effect is Effect.PAUSED:
            self._view.pause(identity, event.seconds or time.time())
            self._turns.outdate(identity)
        elif effect is Effect.NETWORKS:
            self._networks.again(identity, event.seconds)
        else:
            if effect is Effect.ILL:
                self._view.ail(identity)
                self._turns.outdate(identity)
            self._told.add(identity)
            self._turns.want(identity, event.seconds)
        if effect in _URGENT:
            self._event = self._event or event.seconds
            self._urgent = True
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
        self._stopping.pop(identity, None)
        self._turns.forget(identity)
        if event.action != "die":
            self._view.remove(identity)
            return
        name, killed = self._view.name(identity), self._view.signal(identity)
        self._crowd.info("container.died", name=name, id=identity[:12], exit=event.status, signal=killed)
        self._view.end(identity, event.seconds or time.time(), event.status)
        self._exit_details.want(identity)

    def _touch(self) -> None:
        if self._dirty is None:
            self._dirty = time.monotonic()

    def _tell(self) -> None:
        """Publish what has changed, once nothing more is there to go with it or it has waited for long enough.

        Before this session's first list only what is urgent, and where there is one of a session before.
        """
        if self._dirty is None or not (self.listed or (self._urgent and self._view.told)):
            return
        alone = self._queue.empty() and (self._urgent or not self._turns.more_soon)
        if alone or time.monotonic() - self._dirty > self._timing.burst:
            self._publish()

    def _publish(self) -> None:
        self._dirty, self._urgent = None, False
        told, self._event = self._event, 0.0
        self._deliver(replace(self._view.listing(), told=told))


_URGENT = frozenset({Effect.STOPPING, Effect.GONE, Effect.PAUSED, Effect.ILL})

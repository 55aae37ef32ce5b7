"""The Swarm that engines of DOCKER_HOST are in, as a provider: one thread that polls one of its managers, and goes on with another one.

Where no engine is a manager there is nothing to list: then the source withdraws, and looks again from time to time. Never does: anything
with Docker on the loop's thread; it crosses over by call_soon_threadsafe only, and only with the newest picture.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial

import structlog

from haystack.discovery import own_place
from haystack.discovery.docker import client as border
from haystack.discovery.docker import engine_connection
from haystack.discovery.docker.tls import TlsOptions
from haystack.discovery.provider import Sink
from haystack.discovery.swarm.manager import Lists, Manager, is_manager, is_member
from haystack.discovery.swarm.members import Members
from haystack.discovery.swarm.node_watch import NodeWatch, Pace
from haystack.discovery.swarm.picture import Picture
from haystack.discovery.swarm.session import Session, SessionEndedError
from haystack.discovery.swarm.sightings import Sightings
from haystack.discovery.swarm.timing import Timing
from haystack.settings.masking import masked

SOURCE = "swarm"
UNMANAGED = "no engine of DOCKER_HOST is a manager of the Swarm"
REFUSED = (403, 404, 405)  # statuses of a socket proxy that does not let this through
LET_THROUGH = (
    "let GET /services, /nodes, /tasks and /networks through "
    "(docker-socket-proxy: SERVICES=1, NODES=1, TASKS=1, NETWORKS=1), or set HAYSTACK_SWARM=off"
)
_log = structlog.get_logger()


class SwarmProvider:
    """hosts: as in DOCKER_HOST, in the order in which they are asked; aliases: HAYSTACK_ALIASES."""

    def __init__(
        self,
        hosts: Sequence[str],
        sightings: Sightings,
        tls: TlsOptions | None = None,
        timing: Timing | None = None,
        pace: Pace | None = None,
        aliases: tuple[str, ...] = (),
    ) -> None:
        self.source = SOURCE
        self._sightings = sightings
        self._watch = NodeWatch(sightings.silence, pace)
        self._search = Search(hosts, tls or TlsOptions(), timing or Timing(), aliases)

    async def run(self, sink: Sink) -> None:
        """Publish into sink until cancelled."""
        self._sightings.before(sink)
        self._sightings.poke = self._search.poke
        crossing = Crossing(asyncio.get_running_loop(), self._sightings, self._watch)
        thread = threading.Thread(target=self._search.run, args=(crossing,), name="haystack-swarm", daemon=True)
        thread.start()
        try:
            await asyncio.Future()
        finally:
            crossing.close()
            self._watch.close()
            self._search.close()
            await asyncio.to_thread(thread.join, 5)


class Crossing:
    """From the thread to the loop: the newest picture is kept, older ones that the loop had no time for are dropped."""

    def __init__(self, loop: asyncio.AbstractEventLoop, sightings: Sightings, watch: NodeWatch) -> None:
        self._loop, self._sightings, self._watch = loop, sightings, watch
        self._lock = threading.Lock()
        self._newest: Picture | None = None
        self._closed = False

    def deliver(self, picture: Picture) -> None:
        """Hand over a picture. In the thread."""
        with self._lock:
            scheduled = self._newest is not None
            self._newest = picture
        if not scheduled:
            self._soon(self._take)

    def fail(self, error: str) -> None:
        """Hand over why no manager can be asked. In the thread."""
        self._soon(lambda: self._sightings.refused(error))

    def dissolve(self) -> None:
        """There is no Swarm. In the thread."""
        self._soon(self._end)

    def close(self) -> None:
        """Hand over nothing more. On the loop."""
        self._closed = True

    def _take(self) -> None:
        with self._lock:
            picture, self._newest = self._newest, None
        if picture is not None:
            self._sightings.take(picture)
            self._watch.follow(picture.nodes)

    def _end(self) -> None:
        self._watch.follow({})
        self._sightings.dissolve()

    def _soon(self, callback: Callable[[], None]) -> None:
        try:
            self._loop.call_soon_threadsafe(lambda: None if self._closed else callback())
        except RuntimeError:  # the loop has closed: nobody is left to tell
            self._closed = True


class Asked:
    """What one round over all engines has shown. member: one of them is in a Swarm; manager: and manages it; managed: and was polled."""

    def __init__(self) -> None:
        self.member = self.manager = self.managed = self.refused = False
        self.errors: list[str] = []


class Search:
    """The thread's life: one session after another, with whichever manager answers."""

    def __init__(self, hosts: Sequence[str], tls: TlsOptions, timing: Timing, aliases: tuple[str, ...]) -> None:
        self._hosts = list(hosts)
        self._tls, self._timing = tls, timing
        self._aliases = aliases
        self._members = Members(own_place.container_id(), aliases)
        self._lists = Lists(aliases)
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._seek = timing.seek
        self._session: Session | None = None
        self._known = False  # a picture has been told
        self._told: dict[str, float] = {}
        self._refused: set[str] = set()  # hosts of which that has been told, since they were followed last

    def close(self) -> None:
        """End run() soon, from any thread."""
        self._stop.set()
        self._wake.set()
        session = self._session
        if session is not None:
            session.close()

    def poke(self) -> None:
        """Poll soon, or look for a manager, from any thread."""
        self._wake.set()
        session = self._session
        if session is not None:
            session.poke()

    def run(self, crossing: Crossing) -> None:
        """Look for a manager and follow it, until closed; never gives up by itself."""
        again = self._timing.again
        while not self._stop.is_set():
            self._wake.clear()
            found = self._round(crossing)
            if found.managed:
                again = self._timing.again
            if self._stop.is_set():
                return
            pause = self._conclude(found, crossing, again)
            self._stop.wait(min(pause, self._timing.again))
            self._wake.wait(max(0.0, pause - self._timing.again))
            again = min(2 * again, self._timing.seek)

    def _conclude(self, found: Asked, crossing: Crossing, again: float) -> float:
        """Tell what a round has shown; the seconds until the next one."""
        refused = found.refused and not found.managed and not (self._known and found.errors)  # by all that there are, as far as is known
        if refused or not (self._known or found.manager):
            self._known = False
            crossing.dissolve()
            if found.member and not refused and self._is_due(UNMANAGED):
                _log.info("swarm.unmanaged", error=UNMANAGED)
            return self._seldom()
        if not found.member and not found.errors:  # all of them have left it
            self._known = False
            self._members = Members(own_place.container_id(), self._aliases)
            crossing.dissolve()
            return self._seldom()
        self._seek = self._timing.seek
        error = "; ".join(found.errors) or "no engine of DOCKER_HOST is a manager any more"
        if self._is_due(error):
            _log.warning("swarm.retry", error=error)
        crossing.fail(error)
        return again

    def _seldom(self) -> float:
        """The seconds until the next look for a Swarm where there is none: more each time, for most will never have one."""
        pause, self._seek = self._seek, min(2 * self._seek, self._timing.seldom)
        return pause

    def _round(self, crossing: Crossing) -> Asked:
        """Ask all engines, the one that was followed last at last; follow each that is a manager, until it fails."""
        found = Asked()
        for host in tuple(self._hosts):
            if self._stop.is_set():
                break
            if self._follow(host, found, crossing):
                self._hosts.remove(host)
                self._hosts.append(host)
        return found

    def _follow(self, host: str, found: Asked, crossing: Crossing) -> bool:
        """Follow the engine there, where it is a manager. Whether it was."""
        session: Session | None = None
        try:
            with ExitStack() as stack:
                client = stack.enter_context(engine_connection.opened(host, self._tls)).connect(self._timing.connect)
                stack.callback(client.close)
                info = border.info(client)
                found.member = found.member or is_member(info)
                if not is_manager(info):
                    return False
                found.manager = True
                manager = Manager(client, self._lists, self._timing)
                deliver = partial(self._deliver, crossing)
                session = self._session = Session(client, manager, self._members, deliver, self._timing, masked(host))
                if self._stop.is_set():  # closed while connecting: nobody else would close this one
                    session.close()
                session.run()
        except Exception as error:  # noqa: BLE001 - no error of an engine may end discovery
            self._note(host, error, found, session)
        finally:
            self._session = None
        return session is not None and session.polls > 0

    def _deliver(self, crossing: Crossing, picture: Picture) -> None:
        self._known = True
        crossing.deliver(picture)

    def _note(self, host: str, error: Exception, found: Asked, session: Session | None) -> None:
        if session is None:
            found.errors.append(f"{masked(host)}: {border.explain(error)}")
            return
        if getattr(error, "status_code", None) in REFUSED and not session.polls:
            found.refused = True
            if host not in self._refused:  # which will be so at each look: it is told once
                self._refused.add(host)
                _log.warning("swarm.refused", error=border.explain(error), hint=LET_THROUGH)
            return
        if session.polls:
            found.managed = True
            self._refused.discard(host)
        told = str(error) if isinstance(error, SessionEndedError) else border.explain(error)
        found.errors.append(f"{masked(host)}: {told}")
        if not self._stop.is_set():
            _log.warning("swarm.manager_lost", manager=masked(host), error=told)

    def _is_due(self, error: str) -> bool:
        """Whether it is to be told: it is new, or was told long ago."""
        now = time.monotonic()
        self._told = {text: at for text, at in self._told.items() if now - at <= self._timing.remind}
        return self._told.setdefault(error, now) == now

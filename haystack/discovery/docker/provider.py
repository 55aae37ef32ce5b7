"""A Docker engine as a provider: one thread that connects, watches and, whenever that fails, connects again. For ever.

Never does: anything with Docker on the loop's thread; it crosses over by call_soon_threadsafe only, and only with the
newest list. Stands between the engine and the registry.
"""

from __future__ import annotations

import asyncio
import random
import threading
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

import structlog

from haystack.discovery import own_place
from haystack.discovery.docker import client as border
from haystack.discovery.docker import engine_connection, inspect
from haystack.discovery.docker.absence import Absence
from haystack.discovery.docker.engine_view import View
from haystack.discovery.docker.grace import Grace
from haystack.discovery.docker.silence import StreamEndedError
from haystack.discovery.docker.timing import Timing
from haystack.discovery.docker.tls import TlsOptions
from haystack.discovery.docker.watch import SEEN, Watch
from haystack.discovery.provider import Sink
from haystack.model.records import Engine, Listing
from haystack.settings.masking import masked

_log = structlog.get_logger()


class DockerProvider:
    """Publishes what the engine at `host` (as in DOCKER_HOST) holds; `source` is that host, without a password.

    aliases: HAYSTACK_ALIASES.
    """

    def __init__(self, host: str, tls: TlsOptions | None = None, timing: Timing | None = None, aliases: tuple[str, ...] = ()) -> None:
        self.source = masked(host)
        self._host = host
        self._tls = tls or TlsOptions()
        self._timing = timing or Timing()
        self._aliases = aliases

    async def run(self, sink: Sink) -> None:
        """Publish into sink until cancelled."""
        grace = Grace(sink, self._timing.grace)
        crossing = Crossing(asyncio.get_running_loop(), grace, self.source)
        session = Sessions(self._host, self._tls, self._timing, crossing, self._aliases)
        thread = threading.Thread(target=session.run, name=f"haystack-docker {self.source}", daemon=True)
        thread.start()
        try:
            await asyncio.Future()
        finally:
            crossing.close()
            grace.close()
            session.close()
            await asyncio.to_thread(thread.join, 5)


class Crossing:
    """From the thread to the loop: the newest list is kept, older ones that the loop had no time for are dropped."""

    def __init__(self, loop: asyncio.AbstractEventLoop, sink: Sink, source: str) -> None:
        self._loop = loop
        self._sink = sink
        self._source = source
        self._lock = threading.Lock()
        self._newest: Listing | None = None
        self._closed = False

    def deliver(self, listing: Listing) -> None:
        """Hand over a list. In the thread."""
        with self._lock:
            scheduled = self._newest is not None
            self._newest = listing
        if not scheduled:
            self._soon(self._replace)

    def fail(self, error: str) -> None:
        """Hand over why the engine can't be read. In the thread."""
        self._soon(lambda: self._sink.failed(self._source, error))

    def close(self) -> None:
        """Hand over nothing more. On the loop."""
        self._closed = True

    def _replace(self) -> None:
        with self._lock:
            listing, self._newest = self._newest, None
        if listing is not None:
            self._sink.replace(self._source, listing)

    def _soon(self, callback: Callable[[], None]) -> None:
        try:
            self._loop.call_soon_threadsafe(lambda: None if self._closed else callback())
        except RuntimeError:  # the loop has closed: nobody is left to tell
            self._closed = True


class Sessions:
    """The thread's life: one Watch after another, with growing, jittered pauses while they fail."""

    def __init__(self, host: str, tls: TlsOptions, timing: Timing, crossing: Crossing, aliases: tuple[str, ...] = ()) -> None:
        self._host = host
        self._shown = masked(host)
        self._tls = tls
        self._timing = timing
        self._crossing = crossing
        self._own = own_place.container_id()
        self._view = View(self._own, aliases)
        self._since: str | None = None
        self._seen: deque[str] = deque(maxlen=SEEN)
        self._stop = threading.Event()
        self._watch: Watch | None = None

    def close(self) -> None:
        """End run() soon, from any thread."""
        self._stop.set()
        watch = self._watch
        if watch is not None:
            watch.close()

    def run(self) -> None:
        """Watch until closed; never gives up by itself."""
        delay = self._timing.shortest
        absence = Absence(self._host, self._shown, bool(self._tls.cert or self._tls.path), self._timing.remind)
        while not self._stop.is_set():
            error, listed = self._session()
            if self._stop.is_set():
                return
            delay = self._timing.shortest if listed else min(delay * 2, self._longest())
            pause = delay * random.uniform(0.5, 1.0)
            self._crossing.fail(absence.tell(error, listed=listed, after=pause))
            self._stop.wait(pause)

    def _longest(self) -> float:
        """The greatest pause, in seconds. An engine on this machine that was there before most likely starts anew; asking costs nothing."""
        near = self._since is not None and self._host.startswith(("unix://", "http+unix://"))
        return min(self._timing.near, self._timing.longest) if near else self._timing.longest

    def _session(self) -> tuple[BaseException, bool]:
        """One connection to its end; why it ended, and whether it had listed."""
        watch: Watch | None = None
        try:
            with ExitStack() as stack:
                open_way = stack.enter_context(engine_connection.opened(self._host, self._tls))
                client = open_way.connect()
                stack.callback(client.close)
                watch = self._watch = Watch(client, self._view, self._crossing.deliver, self._timing, self._since, self._seen)
                if self._stop.is_set():  # closed while connecting: nobody else would close this one
                    watch.close()
                watch.run(partial(self._describe, client, open_way.address))
        except Exception as error:  # noqa: BLE001 - no error of an engine may end discovery
            return error, self._ended(watch)
        return StreamEndedError("closed"), self._ended(watch)

    def _ended(self, watch: Watch | None) -> bool:
        self._watch = None
        if watch is None:
            return False
        self._since = watch.since
        return watch.listed

    def _describe(self, client: border.Client, seen: str, info: object, version: object) -> Engine:
        """seen: the engine's address, where that is known already."""
        inside = bool(self._own) and not on_host_network(client, self._own, self._timing.answer)
        address = seen or own_place.engine_address(self._host, inside)
        engine = inspect.engine(info, version, self._shown, address, remote=not own_place.is_here(self._host, address, inside))
        _log.info("engine.connected", name=engine.name, version=engine.version, host=self._shown)
        return engine


def on_host_network(client: border.Client, own: str, timeout: float) -> bool:
    """Whether Haystack's own container, which this engine may not know, shares the network stack of its machine, itself or by another one.

    Its default gateway is that of the machine then, a router, and not the machine itself. timeout: seconds. Raises as `border.inspected`.
    """
    asked = [own]
    while True:
        try:
            mode = inspect.network_mode(border.inspected(client, asked[-1], timeout))
        except Exception as error:
            if border.late(error) or border.answered(error):
                return False
            raise
        other = mode.removeprefix(inspect.SHARED)
        if other in ("", mode, *asked):
            return mode == "host"
        asked.append(other)

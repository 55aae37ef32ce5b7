"""The composition root: makes every room, introduces them to each other, starts them in order and stops them in order.

Never decides anything about containers, names or requests. Order: bind every port, so that a taken one ends the start
before anything was promised; then DNS, web side and shell; then the workers; then discovery. A first SIGTERM or SIGINT
stops accepting and waits for what is in flight, DRAIN_SECONDS at most; a second one ends at once.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import tempfile
import time
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import structlog
import uvloop

from haystack import __version__, choice
from haystack.api.server import ApiServer
from haystack.console.server import ConsoleServer
from haystack.discovery import providers
from haystack.discovery.provider import Provider
from haystack.dns.responder import Responder
from haystack.dns.server import DnsServer
from haystack.health.monitor import Monitor
from haystack.observe import accesslog, logs
from haystack.observe.trace import TraceHub
from haystack.proxy.supervisor import Supervisor
from haystack.registry import Registry
from haystack.settings import Settings, variable
from haystack.state import State

DRAIN_SECONDS = 30.0
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
log = structlog.get_logger("haystack")


class PortError(Exception):
    """A port can't be listened on. str() is one line: which, why, and what to set."""


class App:
    """One running Haystack. Made and run on the event loop's thread."""

    def __init__(self, settings: Settings, sources: list[Provider], folder: Path) -> None:
        self.settings = settings
        self.sources = sources
        self.registry = Registry(settings.origin, [source.source for source in sources])
        self.health = self.registry.watcher = Monitor(self.registry.refresh)
        self.responder = Responder(settings.origin, settings.dns_ttl, settings.address)
        self.dns = DnsServer(settings, self.responder)
        self.proxy = Supervisor(settings, str(folder / "admin.sock"))
        self.traces = TraceHub(self.proxy.trace)
        self.state = State(settings, self.registry, self.responder, self.proxy, self.traces, time.time())
        self.console = ConsoleServer(self.state)
        self.api = ApiServer(self.state, folder / "admin.sock")
        self.tasks: set[asyncio.Task[None]] = set()
        self.stopping = asyncio.Event()

    async def run(self) -> None:
        """Serve until a signal says stop, then drain."""
        self.bind()
        self._watch_signals()
        async with AsyncExitStack() as stack:
            await self._start(stack)
            await self.stopping.wait()
            log.info("stopping", drain_seconds=DRAIN_SECONDS)
            await self._stop_discovery()
            await self.proxy.drain(DRAIN_SECONDS)
        log.info("stopped")

    def bind(self) -> None:
        """Take every port before anything runs. Raises PortError."""
        for take, fields in (
            (self.dns.bind, ("dns_port",)),
            (self.proxy.bind, ("http_port", "http_alt_port")),
            (self.console.bind, ("ssh_port",)),
        ):
            try:
                take()
            except OSError as error:
                raise PortError(port_complaint(self.settings, fields, error)) from error

    async def _start(self, stack: AsyncExitStack) -> None:
        for room in (self.dns, self.api, self.console):
            stack.push_async_callback(room.close)
            await room.start()
        self._introduce(stack)
        await self.proxy.start()
        self.state.ports.update(dns=self.dns.port, ssh=self.console.port)
        ports = {name.replace("-", "_"): port for name, port in self.proxy.ports.items()}
        log.info("listening", version=__version__, **ports, **self.state.ports)
        for provider in self.sources:
            self._spawn(provider.run(self.registry), provider.source)
        if self.settings.trace:
            self._spawn(self._log_traces(), "trace")
        if self.settings.access_log != "off":
            self._spawn(accesslog.write(self.traces, self.settings.access_log, sys.stdout), "access log")
        self._spawn(self._tell_ready(), "ready")

    def _introduce(self, stack: AsyncExitStack) -> None:
        """Who hears of what: each snapshot goes to DNS and the workers, each trace to the hub."""
        for publish in (self.proxy.publish, self.responder.publish):  # workers first: a removed endpoint must get no request
            stack.callback(self.registry.subscribe(publish))
            publish(self.registry.snapshot)
        stack.callback(self.registry.subscribe(self.health.follow))
        stack.callback(self.health.close)
        self.proxy.on_failures = self.health.failures
        self.proxy.on_trace = self.traces.publish

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self.tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        """A task of ours that fails ends nothing else, and never silently."""
        self.tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a task ended", task=task.get_name(), error=repr(error), exc_info=error)

    async def _stop_discovery(self) -> None:
        """No more news: what is in flight keeps the picture that it has."""
        tasks = list(self.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _tell_ready(self) -> None:
        await self.registry.listed.wait()
        snapshot = self.registry.snapshot
        log.info("ready", version=snapshot.version, containers=len(snapshot.containers), services=len(snapshot.services))

    async def _log_traces(self) -> None:
        async with self.traces.subscribe(None) as traces:
            async for trace in traces:
                log.info("trace", **{name: getattr(trace, name) for name in trace.__struct_fields__ if name != "time"})

    def _watch_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in STOP_SIGNALS:
            loop.add_signal_handler(number, self._signalled, number)

    def _signalled(self, number: int) -> None:
        """First: drain. From now on the signals have their usual effect, so a second one ends the process at once."""
        self.stopping.set()
        loop = asyncio.get_running_loop()
        for each in STOP_SIGNALS:
            loop.remove_signal_handler(each)
            signal.signal(each, signal.SIG_DFL)
        log.info("signal", name=signal.Signals(number).name)


def port_complaint(settings: Settings, fields: tuple[str, ...], error: OSError) -> str:
    """Which port, why, and what to set: one line. Of several, those that can't be bound now either."""
    places = settings.bind or choice.EVERYWHERE
    bad = [f for f in fields if not all(choice.bindable(place, getattr(settings, f)) for place in places)] or list(fields)
    ports = " and ".join(str(getattr(settings, f)) for f in bad)
    names = " and ".join(variable(f) for f in bad)
    return f"can't listen on port {ports}: {error.strerror or error}; set {names} to another port, or HAYSTACK_BIND to other addresses"


async def serve(settings: Settings, sources: list[Provider]) -> None:
    """Run one Haystack from start to stop. Raises PortError."""
    with tempfile.TemporaryDirectory(prefix="haystack-") as folder:
        await App(settings, sources, Path(folder)).run()


def main(settings: Settings, *, demo: bool) -> int:
    """Run until told to stop; the status to exit with."""
    logs.configure(settings.log_level, settings.log_format)
    try:
        uvloop.run(serve(settings, providers(settings, demo=demo)))
    except PortError as error:
        print(f"haystack: {error}", file=sys.stderr)  # noqa: T201 - the one line that a person needs
        return 1
    return 0

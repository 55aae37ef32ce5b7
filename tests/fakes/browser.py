"""A real Chromium, and the web side at a port of its own over pictures that a test makes."""

from __future__ import annotations

import asyncio
import dataclasses
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple, Self

import pytest
import uvicorn
from msgspec.structs import replace

from haystack.api.feed import Feed
from haystack.api.figures import SecondFigures
from haystack.api.serving import Uvicorn
from haystack.api.views import application
from haystack.dns.peers import Standing
from haystack.model.records import Container, Engine
from haystack.model.services import Endpoint, Service
from haystack.model.snapshot import Change, Snapshot
from tests.fakes.state import state

try:
    from playwright.sync_api import Error
    from playwright.sync_api import TimeoutError as TimedOut
except ImportError:
    Error, TimedOut = OSError, TimeoutError

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@contextmanager
def chromium(*options: str) -> Iterator[Any]:
    """A browser of playwright. Skips the test where there is no Chromium."""
    sync_api = pytest.importorskip("playwright.sync_api")
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip(f"no Chromium is installed ({', '.join(NAMES)})")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", *options])
        yield browser
        browser.close()


def go(page: Any, url: str) -> None:
    """Load it; again where Chromium has given that up, for a network of the machine came or went."""
    for _ in range(20):
        try:
            page.goto(url)
        except Error as error:
            if "ERR_NETWORK_CHANGED" not in str(error):
                raise
        else:
            return
    raise AssertionError(f"the machine's networks change all the time: {url} is never loaded")


class Tab:
    """A page of the site, and what went wrong in it."""

    def __init__(self, browser: Any, url: str, **options: Any) -> None:
        self.context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        self.page = self.context.new_page()
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        self._open(url)

    def _open(self, url: str) -> None:
        """Again where Chromium has given up what it was loading: it does that when a network of the machine comes or goes."""
        for _ in range(5):
            go(self.page, url)
            with suppress(TimedOut):
                self.page.wait_for_selector("#live[data-state=live]", timeout=5000)
                break
            self.page.goto("about:blank")

    def __enter__(self) -> Any:
        return self.page

    def __exit__(self, *_: object) -> None:
        self.context.close()
        assert [error for error in self.errors if "ERR_NETWORK_CHANGED" not in error] == []


class MadeUp:
    """Rates and traffic as a test sets them."""

    def __init__(self) -> None:
        self.of_services: dict[str, Rate] = {}
        self.of_endpoints: dict[str, Rate] = {}
        self.histories: dict[str, tuple[list[float], list[float], list[float]]] = {}
        self.loads: dict[str, Now] = {}
        self.waiting: dict[str, int] = {}

    def services(self, _seconds: int) -> dict[str, Rate]:
        return self.of_services

    def endpoints(self, _seconds: int) -> dict[str, Rate]:
        return self.of_endpoints

    def history(self, name: str) -> tuple[list[float], list[float], list[float]]:
        return self.histories.get(name, ([], [], []))


class Rate(NamedTuple):
    requests: float
    errors: float
    p99: float


class Now(NamedTuple):
    in_flight: int


class Site:
    """The web side of one state, in a thread. url: of the page. pem: a file with a certificate and its key, to be within TLS."""

    def __init__(self, snapshot: Snapshot | None = None, pem: Path | None = None, **settings: Any) -> None:
        self.peers: list[Standing] = []
        self.state = dataclasses.replace(state(**settings), peers=lambda: self.peers)
        self.readers: list[Callable[[Snapshot], None]] = []
        self.state.registry.subscribe = self._subscribe
        self.state.registry.snapshot = snapshot or Snapshot(version=1, created=time.time(), origin="haystack")
        engine = Engine(id="E", name="box", host="unix:///x", address="172.17.0.1", version="20.10.24")
        self.state.registry.sources["unix:///x"] = SimpleNamespace(connected=True, error=None, since=time.time(), engine=engine)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.url = f"{'https' if pem else 'http'}://127.0.0.1:{self.port}/ui"
        self.figures = MadeUp()
        self.feed = Feed(self.state, SecondFigures(self.figures, self.figures))
        served = application(self.state, self.feed)
        tls = {"ssl_certfile": pem, "ssl_keyfile": pem} if pem else {}
        self._server = Uvicorn(uvicorn.Config(served, log_config=None, access_log=False, lifespan="off", ws="none", **tls))
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _subscribe(self, reader: Callable[[Snapshot], None]) -> Callable[[], None]:
        self.readers.append(reader)
        return lambda: self.readers.remove(reader)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(self._server.serve(sockets=[self._socket]))
        self.loop.close()

    def __enter__(self) -> Self:
        self._thread.start()
        while not self._server.listening.is_set():
            time.sleep(0.001)
        return self

    def __exit__(self, *_: object) -> None:
        self.call(self.feed.end)
        self._server.should_exit = True
        self._thread.join(10)
        assert not self._thread.is_alive()

    def call(self, what: Callable[[], object]) -> None:
        """Do it on the server's loop, and wait for that."""
        done = threading.Event()
        self.loop.call_soon_threadsafe(lambda: (what(), done.set()))
        assert done.wait(10)

    def show(self, *services: Service, gone: tuple[str, ...] = (), **more: Any) -> None:
        """The next snapshot: these services are new or other."""
        self.call(lambda: self._show(services, gone, more))

    def _show(self, services: tuple[Service, ...], gone: tuple[str, ...], more: dict[str, Any]) -> None:
        old = self.state.registry.snapshot
        found = {name: each for name, each in old.services.items() if name not in gone} | {each.name: each for each in services}
        change = Change(base=old.version, services=frozenset((*gone, *(each.name for each in services))))
        self.state.registry.snapshot = replace(old, version=old.version + 1, created=time.time(), services=found, change=change, **more)
        for reader in self.readers:
            reader(self.state.registry.snapshot)


def endpoint(number: int, **changes: Any) -> Endpoint:
    """One of a container of this number."""
    address = f"172.{18 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"
    made = Endpoint(
        id=f"{number:012x}:80/tcp", container=f"{number:012x}".ljust(64, "a"), container_name=f"web-{number}",
        target=f"c{number:012x}.containers.haystack", address=address, port=80, protocol="tcp", port_name="http", listener="http",
        since=time.time() - 100,
    )  # fmt: skip
    return replace(made, **changes)


def service(name: str, *endpoints: Endpoint, **more: Any) -> Service:
    """One of this short name."""
    return Service(name=f"{name}.services.haystack", endpoints=endpoints, **more)


def containers(*names: str) -> dict[str, Container]:
    """Containers that are in no service, by id."""
    found = [Container(id=f"{n:x}".rjust(64, "b"), name=name, engine="E") for n, name in enumerate(names)]
    return {each.id: each for each in found}

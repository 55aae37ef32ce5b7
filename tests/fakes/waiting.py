"""What tests of waiting requests share: clients whose requests the worker has read, several origins, and what became of endpoints."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from tests.fakes.client import Client
from tests.fakes.origin import Loop, Origin, Script
from tests.fakes.worker import Haystack, host


@contextmanager
def origins(fakes: Loop, *scripts: Script) -> Iterator[list[Origin]]:
    made = [Origin(fakes, script).start() for script in scripts]
    try:
        yield made
    finally:
        for each in made:
            each.stop()


def ask(stack: ExitStack, haystack: Haystack, name: str, path: str = "/") -> Client:
    """A client with a request that the worker has read."""
    client = stack.enter_context(Client(haystack.port, 15))
    client.send(f"GET {path} HTTP/1.1\r\nHost: {name}\r\n\r\n".encode())
    with Client(haystack.port) as other:
        assert other.get("nowhere.services.haystack").status == 404
    return client


def compose(service: str) -> dict[str, str]:
    """Labels that give a container a second service: SERVICE.shop."""
    return {"com.docker.compose.project": "shop", "com.docker.compose.service": service}


def ejected(haystack: Haystack) -> list[str]:
    return [line["reason"] for line in haystack.lines if line.get("event") == "endpoint.ejected"]


def known(haystack: Haystack, image: str, status: int) -> bool:
    """Whether a request of this service is answered so by now."""
    with Client(haystack.port) as client:
        return client.get(host(image)).status == status


def pause(seconds: float) -> None:
    """Let time pass: what is shown is that a limit does not hold where another one should."""
    threading.Event().wait(seconds)

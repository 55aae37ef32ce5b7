"""One Haystack before services whose endpoints speak HTTP/2 without TLS: of one origin (`one`) or two (`pair`), each given to a single test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any, TypeVar

import pytest

from tests.fakes.client import Client, Response
from tests.fakes.h2_origin import H2Origin, Script, respond
from tests.fakes.origin import Loop
from tests.fakes.worker import Haystack, Member, host

ONES, PAIRS = 140, 20
T = TypeVar("T")


class H2Site:
    """settings: of Haystack."""

    def __init__(self, **settings: str) -> None:
        self.loop = Loop()
        self._ones = [H2Origin(self.loop, respond()).start() for _ in range(ONES)]
        self._pairs = [(H2Origin(self.loop, respond()).start(), H2Origin(self.loop, respond()).start()) for _ in range(PAIRS)]
        label = {"haystack.protocol": "h2c"}
        ones = [Member(f"one{n}", o.port, label) for n, o in enumerate(self._ones)]
        pairs = [Member(f"pair{n}", o.port, label) for n, pair in enumerate(self._pairs) for o in pair]
        self.haystack = Haystack(ones + pairs, **settings)
        self._given = [count(), count()]

    @property
    def port(self) -> int:
        return self.haystack.port

    def one(self, script: Script | None = None, **settings: Any) -> tuple[str, H2Origin]:
        """Host and origin of a service that no other test has seen. settings: fields of the origin."""
        number = next(self._given[0])
        origin = self._ones[number]
        origin.script = script or origin.script
        for name, value in settings.items():
            setattr(origin, name, value)
        return host(f"one{number}"), origin

    def pair(self, first: Script, second: Script) -> tuple[str, tuple[H2Origin, H2Origin]]:
        number = next(self._given[1])
        pair = self._pairs[number]
        pair[0].script, pair[1].script = first, second
        return host(f"pair{number}"), pair

    def client(self, **options: Any) -> Client:
        return Client(self.port, **options)

    def get(self, name: str, target: str = "/", extra: bytes = b"", method: str = "GET") -> Response:
        """One request on a connection of its own."""
        with self.client(timeout=20) as client:
            return client.get(name, target, extra, method)

    def close(self) -> None:
        for origin in (*self._ones, *(o for pair in self._pairs for o in pair)):
            origin.stop()
        self.loop.close()


def at_once(number: int, what: Callable[[int], T]) -> list[T]:
    """Call it so often at the same time."""
    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(what, range(number)))


@pytest.fixture(scope="session")
def h2_site() -> Iterator[H2Site]:
    """The Haystack that tests of such endpoints share."""
    made = H2Site()
    try:
        with made.haystack:
            yield made
    finally:
        made.close()

"""A Haystack that takes HTTP/2 without TLS, and rude origins behind it, each a service of its own (`web`, `web1`, ...)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.fakes.http2 import Http2Client, Rude
from tests.fakes.origin import Loop, Origin, Script, respond
from tests.fakes.worker import Haystack, Member, host

WEB = host("web")


class House:
    """origin: that of the first service."""

    def __init__(self, haystack: Haystack, origins: list[Origin]) -> None:
        self.haystack, self.origins = haystack, origins
        self.origin = origins[0]

    @property
    def port(self) -> int:
        return self.haystack.port

    def client(self, **how: Any) -> Http2Client:
        return Http2Client(self.port, **how)

    def rude(self, **how: Any) -> Rude:
        return Rude(self.port, **how)


@contextmanager
def house(fakes: Loop, *scripts: Script, labels: dict[str, str] | None = None, **settings: str) -> Iterator[House]:
    """With an origin for each script, or one that answers well."""
    origins = [Origin(fakes, script).start() for script in scripts or (respond(),)]
    members = [Member(f"web{number or ''}", origin.port, labels or {}) for number, origin in enumerate(origins)]
    with Haystack(members, **({"HAYSTACK_H2C": "on"} | settings)) as haystack:
        yield House(haystack, origins)
    for origin in origins:
        origin.stop()

"""A Haystack that passes TLS through, with endpoints that end it: for tests of haystack.https=passthrough."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.fakes.far_end import FarEnd, echo, https, tls
from tests.fakes.origin import Loop, Origin, respond
from tests.fakes.pki import Authority
from tests.fakes.tls import TlsClient, trusting
from tests.fakes.worker import Haystack, Member

OWN, WILD, RAW, SERVED = "own.example.com", "*.wild.example.com", "raw.example.net", "served.example.com"
PASSED = {"haystack.https": "passthrough"}


class Edge:
    """A Haystack that ends TLS for one name, and passes it through for others."""

    def __init__(self, folder: Path, loop: Loop, **settings: str) -> None:
        self.authority = Authority(folder)
        self.certs = folder / "certs"
        self.certs.mkdir()
        self.authority.write(self.certs, "served", SERVED, "other.wild.example.com")
        self.log = (folder / "access.log").open("w+b")
        self.origin = Origin(loop, respond()).start()
        self.ends = [FarEnd(https, f"end{n}") for n in range(2)]
        self.raw = FarEnd(echo)
        context = tls(*self.authority.issue(OWN, WILD), folder)
        for each in self.ends:
            each.context = context
        own = PASSED | {"haystack.host": f"{OWN},{WILD}"}
        self.members: list[Member | None] = [
            Member("served", self.origin.port, {"haystack.host": f"{SERVED},other.wild.example.com"}),
            *(Member("own", each.port, own) for each in self.ends),
            Member("raw", self.raw.port, PASSED | {"haystack.host": RAW, "haystack.wait": "1s", "haystack.timeout": "2s"}),
        ]
        chosen = {"HAYSTACK_CERTS": str(self.certs), "HAYSTACK_ACCESS_LOG": "json", "HAYSTACK_HEAD_TIMEOUT": "1s"}
        self.haystack = Haystack([m for m in self.members if m], out=self.log, **(chosen | settings))

    @property
    def port(self) -> int:
        return int(self.haystack.wait("ready")["https"])

    def context(self, **more: Any) -> ssl.SSLContext:
        return trusting(self.authority.path, **more)

    def client(self, name: str = OWN, **how: Any) -> TlsClient:
        return TlsClient(self.port, how.pop("context", None) or self.context(), name, **how)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(each) for each in Path(self.log.name).read_text().splitlines()]

    def close(self) -> None:
        for each in (*self.ends, self.raw):
            each.close()
        self.origin.stop()
        self.log.close()


@contextmanager
def passing(folder: Path, loop: Loop, **settings: str) -> Iterator[Edge]:
    """One that runs."""
    made = Edge(folder, loop, **settings)
    with made.haystack:
        yield made
    made.close()

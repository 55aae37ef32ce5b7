"""A Haystack that a real authority (pebble) looks at: free ports for both, DNS of others that leads here, and what both have to know."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.fakes.client import Client
from tests.fakes.nameserver import Nameserver
from tests.fakes.pebble import Pebble
from tests.fakes.pki import Authority
from tests.fakes.ports import free_port
from tests.fakes.worker import Haystack, Member, until

LIMIT = 40.0


class Site:
    """Pebble, and Haystacks before it one after the other. authority: another one, that pebble knows nothing of."""

    def __init__(self, folder: Path, **pebble: Any) -> None:
        self.http, self.dns, self.https = free_port(), free_port(), free_port()
        self.world = Nameserver(address="127.0.0.1")
        (folder / "other").mkdir()
        self.authority = Authority(folder / "other")
        self.pebble = Pebble(folder, self.dns, self.http, self.https, **pebble)

    def settings(self, **more: str) -> dict[str, str]:
        """What Haystack has to know."""
        return {
            "HAYSTACK_HTTP_PORT": str(self.http),
            "HAYSTACK_DNS_PORT": str(self.dns),
            "HAYSTACK_ADDRESS": "127.0.0.1",
            "HAYSTACK_DNS_NAMESERVERS": f"127.0.0.1:{self.world.port}",
            "HAYSTACK_ACME": self.pebble.url,
            "HAYSTACK_ACME_CA": str(self.pebble.ca),
            **more,
        }

    def haystack(self, *hosts: str, instead_of: Haystack | None = None, **more: str) -> Haystack:
        """One whose one service has these hosts."""
        return Haystack([Member("web", 9, {"haystack.host": ",".join(hosts)})], instead_of, **self.settings(**more))


@contextlib.contextmanager
def site(folder: Path, **pebble: Any) -> Iterator[Site]:
    """With pebble and the others' DNS there."""
    made = Site(folder, **pebble)
    with made.world, made.pebble:
        yield made


def certificates(haystack: Haystack) -> list[dict[str, Any]]:
    """What /api/certificates tells."""
    with Client(haystack.port) as client:
        found: list[dict[str, Any]] = json.loads(client.get("localhost", "/api/certificates").body)
    return found


def certified(haystack: Haystack, *names: str) -> dict[str, Any]:
    """The certificate for just these names, as soon as it is there."""

    def there() -> bool:
        return any(sorted(each["names"]) == sorted(names) and each["not_after"] for each in certificates(haystack))

    until(there, LIMIT, f"no certificate for {names}")
    return next(each for each in certificates(haystack) if sorted(each["names"]) == sorted(names))

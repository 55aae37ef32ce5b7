"""Who may have how much: places that clients share, and a queue in which each of them has its turn.

A client may take a place while it has fewer than are free: one alone has half of them, two a third each, and whoever comes next finds some
free. Pure. Never does: know what a place or an item is. asking.py uses it for waiters, questions and sockets.
"""

from __future__ import annotations

import functools
import ipaddress
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable, Iterable
from typing import Generic, TypeVar

_NETWORK = 64
_REMEMBERED = 4096


@functools.lru_cache(maxsize=_REMEMBERED)
def client_of(address: str) -> str:
    """Whom an address counts for: IPv4 for itself, IPv6 with its /64, since one client usually has a whole one."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, _NETWORK), strict=False))


class Shares:
    """So many places, of which nobody has more than are left."""

    def __init__(self, places: int) -> None:
        self.places = places
        self.used = 0
        self._by: Counter[str] = Counter()

    def take(self, client: str) -> bool:
        """One place more for this client; False where it is over its share."""
        if self._by[client] >= self.places - self.used:
            if not self._by[client]:
                del self._by[client]
            return False
        self._by[client] += 1
        self.used += 1
        return True

    def give(self, client: str) -> None:
        """Give one back."""
        self.used -= 1
        self._by[client] -= 1
        if not self._by[client]:
            del self._by[client]


Item = TypeVar("Item", bound=Hashable)


class Queue(Generic[Item]):
    """Items that wait, a line for each client; the lines take turns. An item may stand in several lines, and leaves all at once."""

    def __init__(self) -> None:
        self._lines: OrderedDict[str, dict[Item, None]] = OrderedDict()

    def put(self, client: str, item: Item) -> None:
        """At the end of this client's line, where it does not stand there already."""
        self._lines.setdefault(client, {})[item] = None

    def remove(self, item: Item, clients: Iterable[str]) -> None:
        """It waits no more in any of these lines."""
        for client in clients:
            line = self._lines.get(client)
            if line is not None and item in line:
                del line[item]
                if not line:
                    del self._lines[client]

    def next(self, may: Callable[[str], bool]) -> tuple[str, Item] | None:
        """Whose turn it is, and the first item of its line, which stays there. may: asked of one client after the other."""
        for _ in range(len(self._lines)):
            client = next(iter(self._lines))
            self._lines.move_to_end(client)
            if may(client):
                return client, next(iter(self._lines[client]))
        return None

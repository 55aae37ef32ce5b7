"""Whose address a client's is: the names of containers by their addresses, as the DNS log writes them.

Follows snapshots, and costs what has changed. Never does: know what was asked.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from haystack.loop.turns import Turns
from haystack.model import addresses
from haystack.model.snapshot import Snapshot
from haystack.observe.safe_text import printable


class ClientNames:
    """Several containers may have one address, as those that share a network stack do: all are named.

    told: names by an address's octets; plain: for a line of text, else for within a string of JSON.
    """

    def __init__(self, *, plain: bool) -> None:
        self.told: dict[bytes, bytes] = {}
        self._plain = plain
        self._version: int | None = None
        self._addresses: dict[str, frozenset[bytes]] = {}  # by container's id
        self._names: dict[str, str] = {}
        self._holders: dict[bytes, set[str]] = {}

    def follow(self, snapshot: Snapshot) -> Turns[None]:
        """These are the containers."""
        change = snapshot.changed_since(self._version)
        ids: Iterable[str] = {*self._names, *snapshot.containers} if change is None else change.containers
        self._version = snapshot.version
        for identity in tuple(ids):
            container = snapshot.containers.get(identity)
            name, known = ("", frozenset[bytes]()) if container is None else (container.name, addresses.of(container))
            if (name, known) != (self._names.get(identity, ""), self._addresses.get(identity, frozenset())):
                self._move(identity, name, known)
            yield

    def _move(self, identity: str, name: str, known: frozenset[bytes]) -> None:
        before = self._addresses.pop(identity, frozenset())
        self._names.pop(identity, None)
        if known:
            self._addresses[identity], self._names[identity] = known, name
        for address in before - known:
            self._holders[address].discard(identity)
        for address in known:
            self._holders.setdefault(address, set()).add(identity)
        for address in before | known:
            self._tell(address)

    def _tell(self, address: bytes) -> None:
        holders = self._holders[address]
        if not holders:
            del self._holders[address]
            self.told.pop(address, None)
            return
        text = printable(",".join(sorted(self._names[each] for each in holders)))
        self.told[address] = (text.replace(" ", "\\x20") if self._plain else json.dumps(text)[1:-1]).encode()

"""One worker's place, as the supervisor keeps it: its sockets stay, its process may change.

Adds up what its processes count. Never starts or ends one.
"""

from __future__ import annotations

import asyncio
import socket
from collections import Counter

from haystack.proxy import channel as wire
from haystack.proxy.birth import Newborn
from haystack.proxy.pulse import Pulse


class Slot:
    """One worker's place: its sockets stay, its process may change. state: starting, serving, draining, dead."""

    def __init__(self, number: int, sockets: list[tuple[int, socket.socket]]) -> None:
        self.slot = number
        self.sockets = sockets
        self.pid = 0
        self.state = "dead"
        self.restarts = 0
        self.connections = 0
        self.exchanges = 0
        self.members: list[tuple[Counter[tuple[str, int]], tuple[str, int]]] = []  # what to count in and under what, by member
        self.channel: wire.Channel | None = None
        self.born: Newborn | None = None
        self.pulse = Pulse()
        self.serving = asyncio.Event()

    @property
    def status(self) -> int | None:
        """How its process ended; None where it runs, or there was none."""
        return self.born.process.returncode if self.born is not None else None

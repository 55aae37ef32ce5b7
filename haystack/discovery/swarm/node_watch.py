"""Whether the nodes of a Swarm are there, by asking each of them twice a second: managers find out after a quarter of a minute.

A node counts as silent when it has answered before, and neither accepts nor refuses connections any more. It is asked at the port of the
Swarm's own gossip, which all nodes have open to one another. Who has not answered is asked again at once, so that it is found out within
2 s also where each of up to 400 nodes is asked less often. Never does: deciding what becomes of its tasks. On the control loop's thread.
"""

from __future__ import annotations

import asyncio
import errno
import select
import socket
import time
from collections.abc import Callable, Mapping

import structlog

from haystack.discovery.swarm.picture import Place
from haystack.model.records import Record

GOSSIP = 7946
ALIVE = (0, errno.ECONNREFUSED, errno.ECONNRESET, errno.EPIPE)
AWAY = (errno.EHOSTUNREACH, errno.EHOSTDOWN, errno.ENETUNREACH, errno.ETIMEDOUT)
_log = structlog.get_logger()


class Pace(Record, frozen=True, kw_only=True):
    """Seconds. pause: between two questions to one node; answer: that each may take; misses: so many in a row, and a node is silent.

    most: questions a second to all of them; port: that is asked.
    """

    pause: float = 0.5
    answer: float = 0.5
    misses: int = 2
    most: float = 400.0
    port: int = GOSSIP

    def until_next(self, nodes: int, missed: int) -> float:
        """From one question to a node to the next one. nodes: that are asked; missed: so many in a row has this one not answered.

        One that may be silent is asked again when the time for its answer is over, and no sooner: if the own machine says at once that
        there is no way, it would only say so twice within a moment.
        """
        return self.answer if 0 < missed < self.misses else max(self.pause, nodes / self.most)


class Watched:
    """One node. since: when it answered last, in seconds of a clock that only grows; None: it never has."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.since: float | None = None
        self.missed = 0
        self.task: asyncio.Task[None] | None = None


class NodeWatch:
    """tell: called with the nodes that are silent, by id, and why, whenever that is new."""

    def __init__(self, tell: Callable[[Mapping[str, str]], None], pace: Pace | None = None) -> None:
        self._tell = tell
        self._pace = pace or Pace()
        self._nodes: dict[str, Watched] = {}
        self._silent: dict[str, str] = {}

    def follow(self, nodes: Mapping[str, Place]) -> None:
        """Watch these, but for the one that Haystack runs on."""
        wanted = {i: place for i, place in nodes.items() if place.address and not place.here}
        for identity in [i for i, known in self._nodes.items() if wanted.get(i) != known.place]:
            self._drop(identity)
        for identity, place in wanted.items():
            if identity not in self._nodes:
                node = self._nodes[identity] = Watched(place)
                node.task = asyncio.get_running_loop().create_task(self._watch(node), name=f"node {place.name}")

    def close(self) -> None:
        """Watch nobody any more."""
        for identity in tuple(self._nodes):
            self._drop(identity)

    def _drop(self, identity: str) -> None:
        node = self._nodes.pop(identity)
        if node.task is not None:
            node.task.cancel()
        if self._silent.pop(identity, None) is not None:
            self._tell(dict(self._silent))

    async def _watch(self, node: Watched) -> None:
        while True:
            begun = time.monotonic()
            there = await answers(node.place.address, self._pace.port, self._pace.answer)
            self._take(node, there)
            pause = self._pace.until_next(len(self._nodes), node.missed)
            await asyncio.sleep(max(0.0, pause - (time.monotonic() - begun)))

    def _take(self, node: Watched, there: bool | None) -> None:
        """What one question has shown; None: nothing."""
        identity = node.place.id
        if there:
            node.since, node.missed = time.monotonic(), 0
            if self._silent.pop(identity, None) is not None:
                _log.info("swarm.node_back", node=node.place.name)
                self._tell(dict(self._silent))
        elif there is False and node.since is not None:
            node.missed += 1
            if node.missed == self._pace.misses:
                why = f"its node {node.place.name} does not answer"
                _log.warning("swarm.node_silent", node=node.place.name, address=node.place.address)
                self._silent[identity] = why
                self._tell(dict(self._silent))


async def answers(address: str, port: int, patience: float) -> bool | None:
    """Whether anybody at this address accepts or refuses a connection within so many seconds; None: that can't be said now."""
    try:
        sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    except OSError:
        return None
    with sock:
        begun = sock.connect_ex((address, port))
        if begun not in (0, errno.EINPROGRESS):
            return _meaning(begun)
        loop, done = asyncio.get_running_loop(), asyncio.Event()
        loop.add_writer(sock, done.set)
        try:
            async with asyncio.timeout(patience):
                await done.wait()
        except TimeoutError:
            # the kernel's own word: this loop may have been late, and not the node
            if not select.select((), (sock,), (), 0)[1]:
                return False
        finally:
            loop.remove_writer(sock)
        return _meaning(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))


def _meaning(error: int) -> bool | None:
    return True if error in ALIVE else False if error in AWAY else None

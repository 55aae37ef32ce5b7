"""Other Haystacks: who they are, and which of them live. DNS answers with the addresses of those beside this one's.

They are asked for /readyz once a second: one HTTP request, so that what is asked is what clients would use. Nothing else is shared. Who has
not answered yet is out; who refuses leaves at once, who is silent after two questions. One that takes this Haystack for a load balancer, as
its HAYSTACK_PROXY_PROTOCOL says, closes connections without a header: it is sent one. `standings` tells people. Never does: answering
anybody. On the control loop's thread.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from ipaddress import ip_address
from typing import Protocol

import structlog
from msgspec.structs import replace

from haystack.health import http_check
from haystack.health.failure_texts import REFUSED, SILENT
from haystack.health.tcp_check import GREETINGS
from haystack.model.records import Peer, Record
from haystack.settings.addresses import Networks, place

HTTP = 80
UNWELL = 500  # statuses from this one on say that it can serve nobody; any other says that it lives
BAD_REQUEST = 400  # to a header, of one that wants none
HEADER = GREETINGS[2]
_log = structlog.get_logger()

Met = Callable[[Sequence[Peer], Peer | None], None]


class Ask(Protocol):
    """As http_check.ask."""

    async def __call__(
        self,
        address: str,
        port: int,
        request: bytes,
        timeout: float,  # noqa: ASYNC109 - as there
        *,
        greeting: bytes = b"",
    ) -> tuple[int, str]:
        """Status, or 0 and what is the matter."""


class Pace(Record, frozen=True, kw_only=True):
    """Seconds between two questions, and that each may take; misses: so many in a row, and a peer is out."""

    pause: float = 1.0
    answer: float = 1.0
    misses: int = 2


class Standing(Record, frozen=True, kw_only=True):
    """How a peer is doing, for people.

    name: unique; address and port: where it is asked, empty and 0 where nothing is known; up: DNS answers with its address; since: Unix
    seconds of the last change of up, or of the first question; answered: of its last answer, 0.0: there was none; error: what was wrong
    with it last, even if it is up again; names: how many names have its address in DNS.
    """

    name: str
    address: str = ""
    port: int = 0
    up: bool = False
    since: float = 0.0
    answered: float = 0.0
    error: str = ""
    names: int = 0

    @property
    def lost(self) -> bool:
        """Whether it is out for a reason, and not only because it is new."""
        return not self.up and bool(self.error)


class Peers:
    """configured: HAYSTACK_PEERS; http: the port of HTTP in a container of the same Swarm service.

    met: told who lives, and who this one is, whenever either changes; proxies: HAYSTACK_PROXY_PROTOCOL, most likely that of all.
    """

    def __init__(
        self, configured: Iterable[str], http: int, met: Met, ask: Ask = http_check.ask, pace: Pace | None = None, proxies: Networks = ()
    ) -> None:
        self._configured = tuple(map(_configured, configured))
        self._http = http
        self._met = met
        self._proxies = proxies
        self._ask = ask
        self._pace = pace or Pace()
        self._own: Peer | None = None
        self._tasks: dict[Peer, asyncio.Task[None]] = {}
        self._living: dict[Peer, None] = {}
        self._standings: dict[Peer, Standing] = {}
        self._swarm: Sequence[Peer] = ()
        self._wanted: tuple[Peer, ...] = ()
        self._started = False

    @property
    def living(self) -> tuple[Peer, ...]:
        """In the order in which they are known."""
        return tuple(peer for peer in self._wanted if peer in self._living)

    def standings(self) -> list[Standing]:
        """How each is doing, in the same order. Two of one name, as tasks on one node are, have a number behind it."""
        found: dict[str, Standing] = {}
        for peer in self._wanted:
            name, number = peer.name, 2
            while name in found:
                name, number = f"{peer.name} ({number})", number + 1
            found[name] = replace(self._standings[peer], name=name)
        return list(found.values())

    def start(self) -> None:
        """Ask them from now on."""
        self._started = True
        self.follow(self._swarm)

    def follow(self, swarm: Sequence[Peer]) -> None:
        """These are the tasks of this one's Swarm service, itself among them; none: it is none."""
        self._swarm = swarm
        own = next((peer for peer in swarm if peer.own), None)
        wanted = tuple(dict.fromkeys((*self._configured, *(peer for peer in swarm if not peer.own))))
        if not self._started or ((wanted, own) == (self._wanted, self._own) and self._tasks.keys() == set(wanted)):
            return
        before = self.living, self._own
        self._wanted, self._own = wanted, own
        for gone in [peer for peer in self._tasks if peer not in wanted]:
            self._tasks.pop(gone).cancel()
            self._living.pop(gone, None)
            del self._standings[gone]
        for peer in wanted:
            if peer not in self._tasks:
                self._standings.setdefault(peer, Standing(name=peer.name, since=time.time()))
                self._tasks[peer] = asyncio.get_running_loop().create_task(self._watch(peer), name=f"peer {peer.name}")
        if before != (self.living, own):
            self._met(self.living, own)

    def close(self) -> None:
        """Ask nobody any more."""
        self._started = False
        for task in self._tasks.values():
            task.cancel()
        self._tasks.clear()

    def _way(self, peer: Peer) -> tuple[str, int] | None:
        """Where this one reaches it: on a network that both are on, else where everybody does."""
        mine = {network for network, _, _ in self._own.near} if self._own is not None else set()
        for network, v4, v6 in peer.near:
            if network in mine and (address := v4 or v6):
                return address, self._http
        return (peer.address, peer.port) if peer.address else None

    async def _watch(self, peer: Peer) -> None:
        missed = 0
        way = self._way(peer)
        header = HEADER if way is not None and _is_in(way[0], self._proxies) else b""
        while True:
            way = self._way(peer)
            status, why, header = await self._question(way, header) if way is not None else (0, "has no address", header)
            lives = 0 < status < UNWELL
            missed = 0 if lives else missed + 1
            if lives and peer not in self._living:
                _log.info("peer.joined", peer=peer.name)
                self._living[peer] = None
                self._met(self.living, self._own)
            elif peer in self._living and not lives and (status or why == REFUSED or missed >= self._pace.misses):
                _log.warning("peer.lost", peer=peer.name, reason=why or f"it answers {status}")
                del self._living[peer]
                self._met(self.living, self._own)
            self._note(peer, way, "" if lives else why or f"it answers {status}")
            await asyncio.sleep(self._pace.pause)

    def _note(self, peer: Peer, way: tuple[str, int] | None, error: str) -> None:
        """What the last question has shown. error: empty, it was answered."""
        before, up, now = self._standings[peer], peer in self._living, time.time()
        address, port = way or ("", 0)
        self._standings[peer] = replace(
            before, address=address, port=port, up=up, since=before.since if up == before.up else now,
            answered=before.answered if error else now, error=str(error) or before.error,
        )  # fmt: skip

    async def _question(self, way: tuple[str, int], header: bytes) -> tuple[int, str, bytes]:
        """Status, why there is none, and what to begin with the next time. header: what was right to begin with the last time."""
        status, why = await self._ask(*way, _request(*way), self._pace.answer, greeting=header)
        hung_up, unwanted = not status and why != SILENT, bool(header) and status == BAD_REQUEST
        if not hung_up and not unwanted:
            return status, why, header
        other = b"" if header else HEADER
        again, _ = await self._ask(*way, _request(*way), self._pace.answer, greeting=other)
        return (again, "", other) if again and again != BAD_REQUEST else (status, why, header)


def _configured(text: str) -> Peer:
    """Of ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT."""
    try:
        return Peer(name=text, address=str(ip_address(text)), port=HTTP)
    except ValueError:
        address, port = place(text)
        return Peer(name=text, address=address, port=port)


def _is_in(address: str, networks: Networks) -> bool:
    with suppress(ValueError):  # what a manager told need not be an address
        return any(ip_address(address) in network for network in networks)
    return False


def _request(address: str, port: int) -> bytes:
    host = f"[{address}]" if ":" in address else address
    return f"GET /readyz HTTP/1.1\r\nHost: {host}:{port}\r\nUser-Agent: haystack-peer\r\nConnection: close\r\n\r\n".encode()

"""DNS as in production, in one process: the control process's side, and the compiled server of one worker, on free ports of loopback.

udp, tcp: clients of whatever answers at the `port` of something.
"""

from __future__ import annotations

import asyncio
import os
from types import SimpleNamespace
from typing import Any

import dns.asyncquery
import dns.message

from haystack._fast.net.networks import Networks
from haystack._fast.net.poller import Poller
from haystack.dns.forward.forwarder import SOCKETS
from haystack.dns.forward.times import TIMES, Times
from haystack.dns.service import DnsService
from haystack.net import access
from haystack.net.sockets import Sockets
from haystack.proxy.lending import DNS_TCP, DNS_UDP
from haystack.proxy.worker_dns import WorkerDns
from haystack.settings import forwarding

TICK = 0.01
SETTINGS = {
    "origin": "haystack",
    "dns_ttl": 5,
    "address": (),
    "bind": ("127.0.0.1",),
    "dns_port": 0,
    "dns_nameservers": (),
    "dns_forward": None,
    "acme_dns_zone": None,
    "peers": (),
    "proxy_protocol": (),
    "http_port": 80,
    "workers": 1,
    "dns_log": "off",
}
EVERYBODY = access.read("any")


class LocalDns:
    """service: the control process's side; worker: the other. faults: exceptions that came out of compiled code.

    Use start, and close at the end. clients: over TCP at once; alone: its only nameserver is itself; sockets: to nameservers at once;
    settings: what is other than in SETTINGS.
    """

    def __init__(
        self,
        snapshot: Any,
        *,
        clients: int = 128,
        idle: float = 10.0,
        alone: bool = False,
        times: Times = TIMES,
        sockets: int = SOCKETS,
        **settings: Any,
    ) -> None:
        self.faults: list[Exception] = []
        self.settings = SimpleNamespace(**SETTINGS | settings)
        self.service = DnsService(self.settings, snapshot, self._down, questions=sockets, times=times)
        self.sockets = Sockets()
        bound = self.service.bind(self.sockets)
        # a worker has copies of its own
        self.lent = [(kind, os.dup(sock.fileno())) for kind, of in ((DNS_UDP, bound.udp), (DNS_TCP, bound.tcp)) for sock in of[0]]
        self.port = self.service.port
        if alone:
            itself = f"127.0.0.1:{self.port}"
            self.settings.dns_nameservers, self.settings.dns_forward = (itself,), forwarding.read(f"corp.example={itself}")
        self.clients, self.idle = clients, idle
        self.worker: WorkerDns
        self.poller: Poller
        self._ticker: asyncio.Task[None] | None = None

    def _down(self, message: Any) -> None:
        if self._ticker is not None:
            self.worker.take(message)

    async def start(self) -> LocalDns:
        """Answer."""
        loop = asyncio.get_running_loop()
        self.poller = Poller(loop, self.faults.append)
        self.worker = WorkerDns(
            self.service.setup, self.poller, self.lent, self.clients,
            lambda asked: self.service.asked(asked.questions, self.worker.take), self.faults.append, idle=self.idle,
        )  # fmt: skip
        policy = SimpleNamespace(
            **dict.fromkeys(("allow", "admin_allow", "dns_recursion"), EVERYBODY), trusted_proxies=(), proxy_protocol=()
        )
        self.worker.admit(Networks(*access.table(policy)))
        self.service.admit(access.table(policy))
        self._ticker = asyncio.create_task(self._tick())
        await self.service.start()
        for message in self.service.welcome():
            self.worker.take(message)
        self.service.open()
        return self

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            self.poller.sweep()

    async def close(self) -> None:
        """End both sides; nothing may have gone wrong."""
        if self._ticker is not None:
            self._ticker.cancel()
            self.poller.stop()
            self.worker.give_back()
        await self.service.close()
        self.sockets.close()
        assert self.faults == []


async def udp(
    server: Any, name: str, rdtype: str = "A", where: str = "127.0.0.1", *, source: str | None = None, patience: float = 5, **more: Any
) -> dns.message.Message:
    """The answer over UDP. more: of the message."""
    query = dns.message.make_query(name, rdtype, **more)
    return await dns.asyncquery.udp(query, where, timeout=patience, port=server.port, source=source)


async def tcp(
    server: Any, name: str, rdtype: str = "A", where: str = "127.0.0.1", *, source: str | None = None, patience: float = 5, **more: Any
) -> dns.message.Message:
    """The answer over TCP. more: of the message."""
    query = dns.message.make_query(name, rdtype, **more)
    return await dns.asyncquery.tcp(query, where, timeout=patience, port=server.port, source=source)


def place(nameserver: Any) -> str:
    """A nameserver of loopback, as settings have it."""
    return f"127.0.0.1:{nameserver.address.port}"

from collections.abc import Callable, Iterable

from haystack._fast.dns.pending import Pending
from haystack._fast.dns.rate_limit import RateLimit
from haystack._fast.dns.responder import Responder
from haystack._fast.dns.times import Times
from haystack._fast.net.networks import Networks
from haystack._fast.net.poller import Poller

class DnsServer:
    rate_limit: RateLimit
    responder: Responder
    pending: Pending
    networks: Networks
    subnets: Networks
    unsent: int
    at_once: Times
    def __init__(
        self,
        poller: Poller,
        responder: Responder,
        send: Callable[[list[tuple[int, bytes, bytes, bool]]], None],
        *,
        clients: int,
        idle: float,
        waiting: int,
    ) -> None: ...
    def listen(self, udp: Iterable[int], tcp: Iterable[int]) -> None: ...
    def leave(self, idle: float) -> None: ...
    @property
    def busy(self) -> bool: ...

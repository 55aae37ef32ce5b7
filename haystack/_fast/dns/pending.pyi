from collections.abc import Callable

from haystack._fast.dns.responder import Responder
from haystack._fast.dns.times import Times
from haystack._fast.net.poller import Poller

class Pending:
    waiting: int
    times: Times
    def __init__(
        self, poller: Poller, responder: Responder, send: Callable[[list[tuple[int, bytes, bytes, bool]]], None], most: int
    ) -> None: ...
    def forget(self) -> None: ...
    def told(
        self, number: int, flags: int, body: bytes, ends: bytes, ages: bytes, counts: tuple[int, int, int], options: bytes, lifetime: int
    ) -> None: ...

from typing import TypeAlias

from haystack._fast.dns.pending import Pending
from haystack._fast.dns.rate_limit import RateLimit
from haystack._fast.dns.responder import Responder

Told: TypeAlias = tuple[int, bytes, bytes, bytes, tuple[int, int, int], bytes, int]

def answer(
    responder: Responder, packet: bytes, local: bytes = b"", *, tcp: bool = False, rights: int = 0, network: int = 0
) -> bytes | None: ...
def kept(told: Told, packet: bytes, age: int, *, tcp: bool = False, limit: int = 0, stale: bool = False) -> bytes | None: ...
def ask(pending: Pending, packet: bytes, replies: list[tuple[bytes, bytes]]) -> bool: ...
def rate_limited(limit: RateLimit, ip: bytes, answer: int, now: int) -> int: ...
def outside(ip: bytes, rights: int) -> bool: ...
def kept_answer(
    packet: bytes,
    flags: int,
    body: bytes,
    ends: bytes,
    ages: bytes,
    counts: tuple[int, int, int],
    options: bytes,
    age: int,
    life: int,
    tcp: bool,
) -> bytes | None: ...

from typing import TypeAlias

from haystack._fast.dns.pending import Pending
from haystack._fast.dns.responder import Responder

Told: TypeAlias = tuple[int, bytes, bytes, bytes, tuple[int, int, int], bytes, int]

def answer(
    responder: Responder, packet: bytes, local: bytes = b"", *, tcp: bool = False, rights: int = 0, network: int = 0
) -> bytes | None: ...
def kept(told: Told, packet: bytes, age: int, *, tcp: bool = False, limit: int = 0) -> bytes | None: ...
def ask(pending: Pending, packet: bytes, replies: list[tuple[bytes, bytes]]) -> bool: ...

from collections.abc import Callable
from typing import TypeAlias

from haystack._fast.dns.askers import Askers
from haystack._fast.dns.cache import Cache
from haystack._fast.dns.query_log import QueryLog
from haystack._fast.dns.rotation import Rotation
from haystack._fast.dns.zone import Zone

Host: TypeAlias = tuple[bytes, bytes, tuple[tuple[int, bytes, bytes], ...]]

KIND_NAMES: tuple[str, ...]
SOURCE_NAMES: tuple[str, ...]

class Responder:
    zone: Zone
    cache: Cache
    askers: Askers
    log: QueryLog | None
    held: bool
    on_fault: Callable[[Exception], None] | None
    def __init__(self, zone: Zone, cache: Cache, rotation: Rotation, own4: bytes = b"", own6: bytes = b"") -> None: ...
    def meet(self, hosts: list[Host], own: Host | None = None) -> None: ...
    def counted(self) -> list[tuple[str, int, str, int]]: ...
    def ask(
        self, packet: bytes, local: bytes = b"", *, tcp: bool = False, rights: int = ..., network: int = 0, client: bytes = b""
    ) -> bytes | None: ...

from collections.abc import Callable
from typing import Any

from haystack._fast.cells import Member
from haystack._fast.poller import Poller
from haystack._fast.route import Router

class Plane:
    poller: Poller
    ports: list[int]
    draining: bool
    exchanges: int
    connect_ms: int
    head_ms: int
    idle_ms: int
    pool_ms: int
    def __init__(self, poller: Poller, router: Router, ports: list[int], trusts: Callable[[str], bool] | None = None) -> None: ...
    def trace(self, on: bool, service: str | None = None) -> None: ...
    def take_traces(self) -> list[tuple[Any, ...]]: ...
    def take_busy(self) -> list[Member]: ...
    def drain(self) -> None: ...
    def counted(self) -> tuple[int, list[int]]: ...

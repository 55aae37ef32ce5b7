from typing import TypeAlias

from haystack._fast.net.tls_client import TlsClient, TlsTarget

Address: TypeAlias = tuple[str, int] | str

class Endpoint:
    key: str
    label: str
    address: Address
    in_flight: int
    gone: bool
    stopped: bool
    stops: int
    worth_keeping: bool
    born: float
    protocol: int
    tls: TlsTarget | None
    def use(self, protocol: str, client: TlsClient | None = None, name: str = "") -> None: ...
    def retire(self, gone: bool) -> None: ...
    def stop(self) -> None: ...
    def begin(self, born: float) -> None: ...
    limit: int
    queues: list[Queue] | None
    pooled: int
    latency: float
    def __init__(self, key: str, address: Address) -> None: ...
    def hold(self, owner: object, limit: int) -> None: ...

class Queue:
    empty_since: int
    def wake_all(self) -> None: ...
    def __len__(self) -> int: ...

class Member:
    endpoint: Endpoint
    service: str
    port: int
    number: int
    requests: int
    cookie_value: str
    def __init__(self, endpoint: Endpoint, service: str, port: int) -> None: ...
    def take_new(self) -> int: ...

class Picker:
    members: list[Member]
    timed: bool
    def __init__(self, members: list[Member], weights: list[int], old: Picker | None = None) -> None: ...
    def serves(self, members: list[Member], weights: list[int]) -> bool: ...

class Route:
    service: str
    picker: Picker
    members: list[Member]
    timeout_ms: int
    wait_ms: int
    queue: Queue
    why: str | None
    mute: str | None
    since: float
    guard: int
    def __init__(
        self,
        service: str,
        picker: Picker,
        timeout_ms: int,
        balance: str = "",
        sticky: str | None = None,
        queue: Queue | None = None,
        path: str = "/",
        wait_ms: int = 0,
        retry: tuple[int, ...] = (),
        via: str = "",
        upgrade: tuple[str, ...] = (),
        https: str = "on",
        hsts_max_age: int = 0,
    ) -> None: ...
    def end(self) -> None: ...

from typing import TypeAlias

from haystack._fast.net.tls_client import TlsClient, TlsTarget
from haystack.model.records import ConnectionOptions
from haystack.model.service_options import ServiceOptions

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
    def use(self, connection: ConnectionOptions, client: TlsClient | None = None) -> None: ...
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
    own: bool
    guard: int
    def __init__(
        self,
        service: str,
        picker: Picker,
        options: ServiceOptions,
        *,
        queue: Queue | None = None,
        path: str = "/",
        via: str = "",
    ) -> None: ...
    def end(self) -> None: ...

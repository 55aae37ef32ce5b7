from typing import TypeAlias

Address: TypeAlias = tuple[str, int] | str

class Cell:
    key: str
    label: str
    address: Address
    in_flight: int
    failures: int
    gone: bool
    pooled: int
    def __init__(self, key: str, address: Address) -> None: ...

class Member:
    cell: Cell
    service: str
    port: int
    requests: int
    def __init__(self, cell: Cell, service: str, port: int) -> None: ...
    def take_new(self) -> int: ...

class Route:
    service: str
    members: list[Member]
    picker: int
    timeout_ms: int
    def __init__(self, service: str, members: list[Member], weights: list[int], picker: int, timeout_ms: int) -> None: ...

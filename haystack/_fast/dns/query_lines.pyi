from collections.abc import Mapping

def lines(
    rows: bytes,
    at: int,
    most: int,
    plain: bool,
    worker: int,
    types: Mapping[int, bytes],
    rcodes: Mapping[int, bytes],
    containers: dict[bytes, bytes],
) -> tuple[bytes, int]: ...

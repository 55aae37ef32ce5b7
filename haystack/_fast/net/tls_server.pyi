from collections.abc import Callable, Iterable, Mapping, Sequence

from haystack._fast.net.client_certificates import ClientAuthorities

class Credential:
    names: frozenset[bytes]
    proof: bool
    def __init__(self, chain: bytes, key: bytes, names: Iterable[str], proof: bool = False) -> None: ...

class TlsServer:
    names: dict[bytes, Credential]
    challenges: dict[bytes, Credential]
    default: Credential | None
    port: int
    handshakes: int
    resumed: int
    failed: int
    def __init__(self, least: str, on_error: Callable[[Exception], None]) -> None: ...
    def show(self, names: Mapping[str, Credential], gone: Iterable[str], default: Credential | None) -> None: ...
    def prove(self, challenges: Mapping[str, Credential]) -> None: ...
    def require(self, clients: ClientAuthorities | None) -> None: ...
    def set_keys(self, keys: Sequence[bytes]) -> None: ...

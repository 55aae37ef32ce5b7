class TrustStore:
    count: int
    def __init__(self) -> None: ...
    def add(self, pem: bytes) -> None: ...

class TlsClient:
    protocol: bytes
    verifies: bool
    version: int
    is_ready: bool
    handshakes: int
    resumed: int
    failed: int
    def __init__(self, protocol: bytes, verifies: bool) -> None: ...
    def trust(self, store: TrustStore | None) -> None: ...

class TlsTarget:
    client: TlsClient
    name: str
    has_session: bool
    handshakes: int
    resumed: int
    def __init__(self, client: TlsClient, name: str) -> None: ...

from haystack._fast.endpoint.traffic import Traffic
from haystack._fast.log.access_line import Log
from haystack._fast.net.networks import Networks
from haystack._fast.net.poller import Poller
from haystack._fast.net.tls_server import TlsServer
from haystack._fast.routing.router import Router
from haystack._fast.worker.clients import Clients
from haystack._fast.worker.limits import Limits
from haystack._fast.worker.traces import Traces

class WorkerState:
    poller: Poller
    limits: Limits
    clients: Clients
    traces: Traces
    ports: list[int]
    draining: bool
    early: bool
    networks: Networks
    exchanges: int
    traffic: Traffic
    log: Log | None
    tls: TlsServer | None
    def __init__(self, poller: Poller, router: Router, ports: list[int], networks: Networks | None = None) -> None: ...
    def set_apart(self, listener: int, own: Router) -> None: ...
    def take_faults(self) -> list[tuple[str, str, int, int, int, int, int, int, int, int, int, int]]: ...
    def take_errors(self) -> dict[tuple[bytes, int], int]: ...
    def drain(self) -> None: ...
    def counted(self) -> tuple[int, list[int]]: ...

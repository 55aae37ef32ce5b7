"""What a worker tells of an endpoint beside the others of its service: the service that was asked, and the endpoint as it is there now."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import msgspec
import pytest

from haystack._fast.exchange.listener import Listener
from haystack._fast.net.poller import Poller
from haystack._fast.routing.router import Router
from haystack._fast.worker.worker_state import WorkerState
from haystack.model.reports import FailureRow
from haystack.model.service_options import ServiceOptions
from haystack.proxy.worker_routes import Routes
from haystack.routing.rows import EndpointRow, ServiceRow, Table
from tests.fakes.origin import Loop, Origin, respond
from tests.fuzz.rig import EVERYBODY, LIMITS, HandLoop

PATIENCE = {"idle_ms": 60_000, "head_ms": 60_000, "connect_ms": 5000, "queue_ms": 1000, "pool_ms": 1000}
ERROR = b"HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno"


class Worker:
    """The data plane, turned by hand. good, bad, worse: rows of endpoints, of which the last two answer 500."""

    def __init__(self, *ports: int) -> None:
        self.loop = HandLoop()
        router = Router()
        self.state = WorkerState(Poller(self.loop, self.failed), router, [80], EVERYBODY)
        self.state.limits.set(msgspec.structs.replace(LIMITS, **PATIENCE))
        self.routes = Routes((80,), router)
        self.door = socket.create_server(("127.0.0.1", 0))
        self.door.setblocking(False)
        self.listener = Listener(self.state, self.door.fileno(), 0)
        names = "good", "bad", "worse"
        self.good, self.bad, self.worse = (EndpointRow(n, "127.0.0.1", p, 100, 1.0) for n, p in zip(names, ports, strict=True))
        self.version = 0

    def failed(self, error: Exception) -> None:
        raise error

    def show(self, **services: tuple[EndpointRow, ...]) -> None:
        """These services change, or come."""
        self.version += 1
        options = ServiceOptions(balance="roundrobin", timeout=60.0)
        rows = tuple(ServiceRow(name, (name,), options, (endpoints,)) for name, endpoints in services.items())
        self.routes.apply(Table(self.version, rows, whole=self.version == 1))

    def show_keyed(self, balance: str, sticky: str, *endpoints: EndpointRow) -> None:
        """One service whose requests go by a key or a cookie; what fails and only reads is asked for elsewhere."""
        self.version += 1
        row = ServiceRow("web", ("web",), ServiceOptions(balance=balance, sticky=sticky, timeout=60.0, retry=(500,)), (endpoints,))
        self.routes.apply(Table(self.version, (row,), whole=self.version == 1))

    def send(self, request: str) -> bytes:
        """One request to `web`: the answer."""
        with socket.create_connection(self.door.getsockname()) as client:
            client.sendall(f"{request} HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n".encode())
            client.settimeout(0.001)
            answer = bytearray()
            while not self.ended(client, answer):
                self.loop.turn()
            return bytes(answer)

    def ask(self, service: str, faults: int) -> None:
        """Ask until so many more requests were answered with an error: an endpoint that has just failed is avoided for a moment."""
        while faults:
            with socket.create_connection(self.door.getsockname()) as client:
                client.sendall(f"GET / HTTP/1.1\r\nHost: {service}\r\nConnection: close\r\n\r\n".encode())
                client.settimeout(0.001)
                answer = bytearray()
                while not self.ended(client, answer):
                    self.loop.turn()
                faults -= answer.startswith(b"HTTP/1.1 500 ")

    def ended(self, client: socket.socket, answer: bytearray) -> bool:
        try:
            data = client.recv(4096)
        except TimeoutError:
            return False
        answer += data
        return not data

    def told(self) -> dict[tuple[str, str], tuple[int, int, int]]:
        """By endpoint and service: its exchanges and faults, and faults of the others."""
        rows = [FailureRow(*row) for row in self.state.take_faults()]
        assert all(row.others > 0 for row in rows)
        return {(row.key, row.service): (row.ended, row.faulty, row.others_faulty) for row in rows}


@pytest.fixture
def worker() -> Iterator[Worker]:
    fakes = Loop()
    origins = [Origin(fakes, respond(*answer)).start() for answer in ((), (ERROR,), (ERROR,))]
    made = Worker(*(origin.port for origin in origins))
    yield made
    made.listener.stop()
    made.door.close()
    for origin in origins:
        origin.stop()
    fakes.close()


def test_one_that_leaves_a_service_and_comes_back_is_compared_anew(worker: Worker) -> None:
    """Its faults were counted, and its exchanges were not: they are those of another member of the same service."""
    worker.show(web=(worker.good, worker.bad), other=(worker.bad,))
    worker.ask("web", faults=2)
    assert worker.told() == {("bad", "web"): (1, 1, 0)}  # the first one only begins it
    worker.show(web=(worker.good,))
    worker.routes.forget_drained()
    worker.show(web=(worker.good, worker.bad))
    worker.ask("web", faults=3)
    assert worker.told() == {("bad", "web"): (2, 2, 0)}


def test_faults_by_each_name_are_compared_with_the_others_of_that_name(worker: Worker) -> None:
    """Those by the second name counted for nothing, as long as there were any by the first."""
    worker.show(web=(worker.good, worker.bad), shop=(worker.good, worker.bad))
    for _ in range(3):
        worker.ask("web", faults=1)
        worker.ask("shop", faults=1)
    assert worker.told() == {("bad", "web"): (2, 2, 0), ("bad", "shop"): (2, 2, 0)}


KEYED = pytest.mark.parametrize(("balance", "sticky"), [("hash:path", ""), ("roundrobin", "sid")])


@KEYED
def test_where_requests_go_by_a_key_a_fault_counts_once_another_endpoint_has_answered_the_same(
    worker: Worker, balance: str, sticky: str
) -> None:
    worker.show_keyed(balance, sticky, worker.good, worker.bad)
    for number in range(60):
        assert worker.send(f"GET /{number}").startswith(b"HTTP/1.1 200 ")
    ((ended, faulty, others_faulty),) = worker.told().values()
    assert 2 <= faulty == ended
    assert others_faulty == 0


@KEYED
def test_there_it_does_not_count_where_the_others_fail_too(worker: Worker, balance: str, sticky: str) -> None:
    """It is the request's fault, and a client chooses who gets it."""
    worker.show_keyed(balance, sticky, worker.bad, worker.worse)
    for number in range(60):
        assert worker.send(f"GET /{number}").startswith(b"HTTP/1.1 500 ")
    rows = [FailureRow(*row) for row in worker.state.take_faults()]
    assert sum(row.errors for row in rows) >= 60
    assert [(row.faulty, row.others_faulty) for row in rows] == [(0, 0)] * len(rows)


@KEYED
def test_nor_where_it_is_asked_of_nobody_else(worker: Worker, balance: str, sticky: str) -> None:
    worker.show_keyed(balance, sticky, worker.good, worker.bad)
    answers = [worker.send(f"POST /{number}")[:12] for number in range(60)]
    assert answers.count(b"HTTP/1.1 500") >= 3
    rows = [FailureRow(*row) for row in worker.state.take_faults()]
    assert [(row.faulty, row.others_faulty) for row in rows] == [(0, 0)] * len(rows)

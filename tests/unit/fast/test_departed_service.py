"""An answer that is on its way when its service leaves the table comes down whole."""

from __future__ import annotations

import asyncio
import socket
import time

from haystack.model.service_options import ServiceOptions
from haystack.routing.rows import EndpointRow, ServiceRow, Table
from tests.fakes.origin import Call, Loop, Origin
from tests.unit.fast.test_comparison import Worker

OPTIONS = ServiceOptions(balance="p2c", timeout=60.0, retry=(500,))
PART = b"x" * 40_000
HEAD = b"HTTP/1.1 500 No\r\nContent-Length: 120000\r\n\r\n"


def test_an_answer_goes_on_after_its_service_has_left() -> None:
    """An error, which another endpoint is asked about if there is one: the request was given the time limit of no service."""
    fakes, asked, gates = Loop(), [], [asyncio.Event() for _ in range(3)]

    async def script(call: Call) -> None:
        await call.body()
        asked.append(call)
        for gate, part in zip(gates, (HEAD + PART, PART, PART), strict=True):
            await gate.wait()
            await call.send(part)

    async def let(gate: asyncio.Event) -> None:
        gate.set()

    origin = Origin(fakes, script).start()
    worker = Worker(origin.port, origin.port, origin.port)
    answer = bytearray()
    try:
        row = ServiceRow("web", ("web",), OPTIONS, ((EndpointRow("bad", "127.0.0.1", origin.port, 100, 1.0),),))
        worker.routes.apply(Table(1, (row,)))
        with socket.create_connection(worker.door.getsockname()) as client:
            client.settimeout(0.001)
            client.sendall(b"GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n")
            while not asked:
                worker.loop.turn()
            worker.routes.apply(Table(2, (), ("web",), whole=False))
            for number in (1, 2):
                fakes.run(let(gates[number - 1]))
                while len(answer) < number * len(PART):
                    worker.ended(client, answer)
                    worker.loop.turn()
            time.sleep(0.005)  # longer than no time: the poller has its own clock
            worker.state.poller.sweep()
            fakes.run(let(gates[2]))
            while not worker.ended(client, answer):
                worker.loop.turn()
        assert answer.endswith(3 * PART)
    finally:
        worker.listener.stop()
        worker.door.close()
        origin.stop()
        fakes.close()

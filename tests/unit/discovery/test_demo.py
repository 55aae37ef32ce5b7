"""The demo's five servers: listed as containers, and each says its name."""

import asyncio

from haystack.discovery.demo import DemoProvider
from tests.fakes.sink import FakeSink, running


async def ask(port, request):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        return await asyncio.wait_for(reader.read(), 5)
    finally:
        writer.close()
        await writer.wait_closed()


async def test_five_in_two_services_that_say_their_names():
    sink = FakeSink()
    async with running(DemoProvider(), sink):
        await sink.until(lambda: bool(sink.listings))
        containers = sink.listings[-1].containers
        assert [c.services for c in containers] == [("nginx",)] * 4 + [("web.nginx",)]
        for container in containers:
            close = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            keep = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
            answer = await ask(container.options.port, keep + close)
            assert answer.count(b"HTTP/1.1 200 OK") == 2
            assert answer.endswith(f"\r\n\r\n{container.name}\n".encode())
        assert await ask(containers[0].options.port, b"nonsense\r\nContent-Length: x\r\n\r\n") == b""

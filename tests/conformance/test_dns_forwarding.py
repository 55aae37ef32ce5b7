"""Questions that port 53 forwards: whose they are, a nameserver that asks us, and how often the same answer goes to one network."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
from collections import Counter

import dns.asyncquery
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import pytest
import structlog.testing

from haystack._fast.net.networks import Networks
from haystack.dns import wire
from haystack.dns.forward.nameservers import Nameserver
from haystack.dns.query_log import QueryLog
from haystack.net.rights import Right
from tests.fakes.dns import LocalDns
from tests.unit.dns.conftest import picture
from tests.unit.dns.forward.client import FAST, until
from tests.unit.dns.nameserver import GOOD, FakeNameserver, says, silent

NAME = "a-name-with-many-letters.example"
SLOW = dns.name.from_text("slow.example")
FLOOD, OTHER = "127.0.0.5", "127.0.0.6"
STRANGERS = (0).to_bytes(4, "little") + int(Right.INSIDE | Right.RECURSION).to_bytes(4, "little"), b""
CLIENTS = [f"127.0.1.{n}" for n in range(1, 101)]
CROWD = 32  # equal questions that a worker has the control process asked at once


class Relay(asyncio.DatagramProtocol):
    """A nameserver that asks Haystack whatever Haystack asks it, and passes on what it says. letters: what it makes of a name.

    haystack: the port; codes: what Haystack said; goes_on: clear it, and it waits with that.
    """

    def __init__(self, letters=bytes):
        self.letters, self.haystack, self.codes = letters, 0, []
        self.goes_on = asyncio.Event()
        self.goes_on.set()
        self._tasks = set()

    async def __aenter__(self):
        self._transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        self.address = Nameserver(*self._transport.get_extra_info("sockname"))
        return self

    async def __aexit__(self, *_):
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._transport.close()

    def datagram_received(self, data, peer):
        self._tasks.add(asyncio.create_task(self._relay(data, peer)))

    async def _relay(self, data, peer):
        loop, question = asyncio.get_running_loop(), wire.parse(data).question
        behind = wire.HEADER + len(question)
        await self.goes_on.wait()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            out.setblocking(False)
            out.bind(("127.0.0.1", 0))
            out.connect(("127.0.0.1", self.haystack))
            await loop.sock_sendall(out, os.urandom(2) + data[2 : wire.HEADER] + self.letters(question) + data[behind:])
            reply = await loop.sock_recv(out, 4096)
        self.codes.append(reply[3] & 15)
        self._transport.sendto(data[:2] + reply[2 : wire.HEADER] + question + reply[behind:], peer)


def silent_below_slow(query, tcp):
    return (silent if query.question[0].name.is_subdomain(SLOW) else GOOD)(query, tcp)


@contextlib.asynccontextmanager
async def serving(upstream, **more):
    server = LocalDns(picture(), dns_nameservers=(f"127.0.0.1:{upstream.address.port}",), **more)
    try:
        yield await server.start()
    finally:
        await server.close()


async def udp(server, name, source="127.0.0.1", rdtype="A"):
    query = dns.message.make_query(name, rdtype)
    return await dns.asyncquery.udp(query, "127.0.0.1", timeout=10, port=server.port, source=source)


def asking(server, names, sources):
    return [asyncio.create_task(udp(server, name, source)) for name in names for source in sources]


async def given_up(tasks):
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def rows_of(server):
    """The questions that the control process is asked, as they come."""
    asked, rows = server.service.asked, []
    server.service.asked = lambda questions, reply: (rows.extend(questions), asked(questions, reply))
    return rows


def told(lines):
    return [line["name"] for line in lines if line["event"] == "dns.loop_found" and "name" in line]


@pytest.mark.parametrize("client", ["127.0.0.5", "127.0.0.1"], ids=["of another", "of the nameserver itself"])
async def test_a_nameserver_that_asks_us_what_it_is_asked_is_refused_at_once(client):
    """Its question joined the client's in the worker: both ended with SERVFAIL after 4.8 s, and nobody was told."""
    async with Relay() as upstream, serving(upstream) as server:
        upstream.haystack = server.port
        with structlog.testing.capture_logs() as lines:
            async with asyncio.timeout(4):
                assert (await udp(server, NAME, client)).rcode() == dns.rcode.SERVFAIL
        assert upstream.codes == [dns.rcode.REFUSED]
        assert told(lines) == [NAME]


@pytest.mark.parametrize("client", ["127.0.0.5", "127.0.0.1"], ids=["of another", "of the nameserver itself"])
async def test_one_that_changes_the_case_is_found_out_afterwards(client):
    async with Relay(bytes.lower) as upstream, serving(upstream, times=FAST) as server:
        upstream.haystack = server.port
        with structlog.testing.capture_logs() as lines:
            assert (await udp(server, NAME, client)).rcode() == dns.rcode.SERVFAIL
            await until(lambda: dns.rcode.REFUSED in upstream.codes)
        assert told(lines) == [NAME]


async def test_what_a_flooding_client_has_asked_is_asked_in_the_turn_of_whoever_asks_it_too():
    """It stood in the line of the flooding client alone, for the other one's question had joined in the worker."""
    async with FakeNameserver(silent_below_slow) as upstream, serving(upstream, sockets=8) as server:
        flood = asking(server, [f"{n}.slow.example" for n in range(20)], [FLOOD])
        await until(lambda: server.service.figures().outstanding == 20)
        first = asking(server, ["popular.example"], [FLOOD])
        await until(lambda: server.service.figures().outstanding == 21)
        async with asyncio.timeout(4):
            assert (await udp(server, "popular.example", OTHER)).answer
            assert (await first[0]).answer
        await given_up(flood)


async def test_equal_questions_of_one_client_are_told_to_the_control_process_twice_at_most():
    async with FakeNameserver(silent) as upstream, serving(upstream) as server:
        rows = rows_of(server)
        waiting = asking(server, ["popular.example"] * 100, [FLOOD])
        await until(lambda: server.worker.server.pending.waiting == 100)
        upstream.reply = GOOD  # when it is asked again
        assert all(each.answer for each in await asyncio.gather(*waiting))
        assert len(rows) <= 2


async def test_and_those_of_a_crowd_up_to_a_bound():
    async with FakeNameserver(silent) as upstream, serving(upstream) as server:
        rows = rows_of(server)
        waiting = asking(server, ["popular.example"], CLIENTS)
        await until(lambda: server.worker.server.pending.waiting == len(CLIENTS))
        upstream.reply = GOOD
        assert all(each.answer for each in await asyncio.gather(*waiting))
        assert len(rows) == CROWD


async def test_a_crowd_hides_no_loop():
    """More clients ask than the control process is told of; what the nameserver asks is told all the same."""
    async with Relay() as upstream, serving(upstream) as server:
        upstream.haystack = server.port
        upstream.goes_on.clear()
        with structlog.testing.capture_logs() as lines:
            waiting = asking(server, [NAME], CLIENTS)
            await until(lambda: server.worker.server.pending.waiting == len(CLIENTS))
            upstream.goes_on.set()
            async with asyncio.timeout(4):
                assert {each.rcode() for each in await asyncio.gather(*waiting)} == {dns.rcode.SERVFAIL}
        assert told(lines) == [NAME]


async def test_forwarded_answers_to_one_network_outside_are_limited_and_the_log_says_so():
    """They were not: a name with a long answer that nobody may keep brought whoever was forged as the sender all of it, without limit."""
    async with FakeNameserver(says(f'0 TXT "{"x" * 200}"')) as upstream, serving(upstream, dns_log="json") as server:
        server.worker.admit(Networks(*STRANGERS))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.setblocking(False)
            client.connect(("127.0.0.1", server.port))
            for number in range(100):
                client.send(dns.message.make_query("long.example", "TXT", id=number).to_wire())
            loop, replies = asyncio.get_running_loop(), []
            async with asyncio.timeout(5):
                while len(replies) < 80:
                    replies.append(dns.message.from_wire(await loop.sock_recv(client, 4096), raise_on_truncation=False))
                while server.worker.server.pending.waiting:  # noqa: ASYNC110 - nothing tells
                    await asyncio.sleep(0.01)
            with pytest.raises(BlockingIOError):
                client.recv(512)
        assert [bool(reply.answer) for reply in replies].count(True) in range(60, 64)
        assert all(reply.answer or reply.flags & dns.flags.TC for reply in replies)
        limit, log = server.worker.server.rate_limit, server.worker.server.responder.log
        assert limit.dropped > 0
        passed = 100 - limit.slipped - limit.dropped
        assert await limits_told(log.take()[0]) == {"": passed, "truncated": limit.slipped, "dropped": limit.dropped}
        reply = await dns.asyncquery.tcp(dns.message.make_query("long.example", "TXT"), "127.0.0.1", timeout=5, port=server.port)
        assert reply.answer


async def test_what_is_refused_unread_goes_out_in_place_of_a_truncated_answer_with_its_opcode():
    """Malformed queries got nothing then, though they were counted as truncated; NOTIFY was told that there is no error."""
    async with FakeNameserver(says("60 A 192.0.2.1")) as upstream, serving(upstream) as server:
        server.worker.admit(Networks(*STRANGERS))
        notify = dns.message.make_query("a.example", "SOA")
        notify.set_opcode(dns.opcode.NOTIFY)
        for packet, rcode in (bytes(12), dns.rcode.FORMERR), (notify.to_wire(), dns.rcode.NOTIMP):
            limit = server.worker.server.rate_limit
            before, dropped, sent, replies = limit.slipped + limit.dropped, limit.dropped, 0, []
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                client.setblocking(False)
                client.connect(("127.0.0.1", server.port))
                while limit.slipped + limit.dropped < before + 4:
                    client.send(packet)
                    sent += 1
                    await asyncio.sleep(0)
                await asyncio.sleep(0)
                with contextlib.suppress(BlockingIOError):
                    while True:
                        replies.append(dns.message.from_wire(client.recv(512)))
            assert len(replies) == sent - (limit.dropped - dropped)
            assert {(each.rcode(), each.opcode(), bool(each.flags & dns.flags.TC)) for each in replies} == {
                (rcode, dns.opcode.QUERY if rcode == dns.rcode.FORMERR else dns.opcode.NOTIFY, False)
            }


async def limits_told(rows):
    """What the lines of the log say of the rate limit, and how often."""
    written = []
    lines = QueryLog({}, lambda text, _count, _dropped: written.append(text), plain=False)
    lines.take(0, rows, 100, 0)
    await lines.close()
    return Counter(json.loads(line)["limited"] for line in b"".join(written).splitlines())

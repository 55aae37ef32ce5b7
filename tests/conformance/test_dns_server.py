"""Port 53 as clients see it: real sockets on free ports; dnspython and dig ask."""

import asyncio
import contextlib
import itertools
import json
import shutil
import socket
import struct
from collections import Counter
from pathlib import Path

import dns.asyncquery
import dns.edns
import dns.flags
import dns.message
import dns.rcode
import pytest
import uvloop

from haystack._fast.net.networks import Networks
from haystack.dns import wire
from haystack.dns.forward import nameservers, routes
from haystack.dns.query_log import QueryLog
from haystack.net import access
from haystack.net.rights import Right
from haystack.settings import forwarding as forwarding_setting
from tests.fakes.dns import LocalDns, place, tcp, udp
from tests.unit.dns.conftest import container, endpoint, picture, service
from tests.unit.dns.forward.client import FAST
from tests.unit.dns.nameserver import NXDOMAIN, FakeNameserver, says, silent

V6 = socket.has_ipv6
STRANGERS = access.Table(struct.pack("=II", 0, Right.INSIDE | Right.RECURSION), b"")  # who may ask, and 127.0.0.1 is nothing special


@pytest.fixture
async def start():
    running = []

    async def start(*, records=None, **more):
        members = [container(n, f"db{n}") for n in range(1, 100)]
        members = [type(m)(id=f"{n:012d}", name=m.name, engine="E", address=f"10.0.0.{n}") for n, m in enumerate(members)]
        web = container(2, "web")
        snapshot = picture(
            [*members, web],
            [
                service("nginx", endpoint(web, 80, "http", listener="http")),
                service("db", *(endpoint(m, 5432, "postgresql") for m in members)),
            ],
            records=records or {},
        )
        made = LocalDns(snapshot, **more)
        running.append(made)
        return await made.start()

    yield start
    for each in running:
        await each.close()


@pytest.mark.parametrize("ask", [udp, tcp])
@pytest.mark.parametrize("where", ["127.0.0.1", "127.0.0.7"])
async def test_the_answer_is_the_address_that_was_asked_and_comes_from_there(start, ask, where):
    # dnspython takes no answer from another address than the one that it asked.
    message = await ask(await start(bind=()), "nginx.services.haystack", where=where)
    assert message.answer[0][0].to_text() == where


@pytest.mark.parametrize("ask", [udp, tcp])
async def test_over_ipv6(start, ask):
    try:
        server = await start(bind=("::1",))
    except OSError as error:
        pytest.skip(f"no IPv6 here: {error}")
    message = await ask(server, "nginx.services.haystack", "AAAA", where="::1")
    assert message.answer[0][0].to_text() == "::1"


async def test_a_long_answer_is_cut_over_udp_and_whole_over_tcp(start):
    server = await start()
    query = dns.message.make_query("db.services.haystack", "A")
    message, fell_back = await dns.asyncquery.udp_with_fallback(query, "127.0.0.1", timeout=5, port=server.port)
    assert fell_back
    assert len(message.answer[0]) == 99


async def test_a_pair_of_a_and_aaaa_from_one_socket(start):
    # As musl asks: NXDOMAIN for one of the two would be "no such name" for both.
    server = await start()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.setblocking(False)
        client.connect(("127.0.0.1", server.port))
        queries = [dns.message.make_query("nginx.services.haystack", rdtype) for rdtype in ("A", "AAAA")]
        for query in queries:
            client.send(query.to_wire())
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(5):
            replies = [dns.message.from_wire(await loop.sock_recv(client, 512)) for _ in queries]
    assert [reply.rcode() for reply in replies] == [dns.rcode.NOERROR] * 2
    assert [len(reply.answer) for reply in replies] == [1, 0]


async def test_garbage_leaves_it_serving(start):
    server = await start()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        for length in range(0, 1400, 7):
            client.sendto(b"\x55\x01" * (length // 2), ("127.0.0.1", server.port))
    assert (await udp(server, "nginx.services.haystack")).answer


async def test_zone_answers_while_the_nameserver_is_silent(start):
    async with FakeNameserver(silent) as upstream:
        server = await start(dns_nameservers=(place(upstream),))
        waiting = [asyncio.create_task(udp(server, f"{n}.example")) for n in range(5)]
        await upstream.arrived.wait()
        async with asyncio.timeout(4):
            assert (await udp(server, "nginx.services.haystack")).answer
            assert (await tcp(server, "nginx.services.haystack")).answer
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


@pytest.mark.parametrize("ask", [udp, tcp])
async def test_other_names_are_forwarded(start, ask):
    async with FakeNameserver(says("60 A 192.0.2.1")) as upstream:
        server = await start(dns_nameservers=(place(upstream),))
        for _ in range(2):
            assert (await ask(server, "www.example.com")).answer[0][0].to_text() == "192.0.2.1"
        assert upstream.asked == 1


async def test_with_other_nameservers_in_resolv_conf_what_the_old_ones_said_is_forgotten(start, tmp_path, monkeypatch):
    """Also in a worker: in another network a name may be something else. It is noticed with the next question that goes out."""
    path = tmp_path / "resolv.conf"
    monkeypatch.setattr(routes.ResolvConf.__init__, "__defaults__", (path, lambda: next(clock)))
    clock = itertools.count(step=10.0)
    async with FakeNameserver(says("60 A 192.0.2.1")) as old, FakeNameserver(says("60 A 192.0.2.2")) as new:
        monkeypatch.setattr(nameservers, "resolv_conf", lambda _path: (place(old if path.read_text() == "old" else new),))
        path.write_text("old")
        server = await start()
        assert (await udp(server, "www.example.com")).answer[0][0].to_text() == "192.0.2.1"
        path.write_text("newer")
        await udp(server, "another.example.com")
        assert (await udp(server, "www.example.com")).answer[0][0].to_text() == "192.0.2.2"


async def test_a_ttl_of_0_is_told_and_so_is_that_of_our_own_records(start):
    """Both were told as 30, as stale ones are: clients kept a dead container's address for half a minute."""
    async with FakeNameserver(says("0 A 192.0.2.1")) as upstream:
        assert (await udp(await start(dns_nameservers=(place(upstream),)), "www.example.com")).answer[0].ttl == 0
    async with FakeNameserver(says("60 CNAME nginx.services.haystack.")) as upstream:
        message = await udp(await start(dns_nameservers=(place(upstream),)), "www.example.com")
    assert [rrset.ttl for rrset in message.answer] == [60, 5]


async def test_a_wildcard_of_ours_that_leads_elsewhere_sends_no_name_of_ours_there(start):
    records = {wire.name("*.foo.haystack"): ((5, 60, wire.name("www.example")),)}
    async with FakeNameserver(says("60 A 192.0.2.1")) as upstream:
        server = await start(dns_nameservers=(place(upstream),), records=records)
        message = await udp(server, "x.foo.haystack")
        assert message.answer[-1].to_text() == "www.example. 60 IN A 192.0.2.1"
        assert {dns.message.from_wire(query).question[0].name.to_text().lower() for query in upstream.queries} == {"www.example."}


async def test_askers_with_other_rights_do_not_share_an_answer_that_leads_to_a_name_of_ours(start):
    async with FakeNameserver(silent) as upstream:
        server = await start(dns_nameservers=(place(upstream),))
        rights = struct.pack("=IIII", 0, Right.INSIDE | Right.RECURSION, 0x7F000005, Right.RECURSION)
        for side in (server.worker.admit, lambda made: setattr(server.service, "_networks", made)):
            side(Networks(rights, b""))
        query = dns.message.make_query("www.example.com", "A")
        asking = [
            asyncio.create_task(dns.asyncquery.udp(query, "127.0.0.1", timeout=5, port=server.port, source=source))
            for source in ("127.0.0.1", "127.0.0.5")
        ]
        await upstream.arrived.wait()
        upstream.reply = says("60 CNAME nginx.services.haystack.")
        inside, outside = await asyncio.gather(*asking)
    assert [len(message.answer) for message in (inside, outside)] == [2, 1]


async def test_a_padded_query_is_kept_without_its_padding(start):
    """A thousand of 64 KB that waited took 64 MB, and as much again in the control process."""
    async with FakeNameserver(says("60 A 192.0.2.1")) as upstream:
        server = await start(dns_nameservers=(place(upstream),))
        asked, sizes = server.service.asked, []
        server.service.asked = lambda questions, reply: (sizes.extend(len(each.packet) for each in questions), asked(questions, reply))
        query = dns.message.make_query("www.example.com", "A", use_edns=0, options=[dns.edns.GenericOption(12, bytes(600))])
        reply = await dns.asyncquery.udp(query, "127.0.0.1", timeout=5, port=server.port)
    assert reply.answer
    assert len(sizes) == 1
    assert sizes[0] < 100


@pytest.mark.parametrize("fault", [wire.FormatError, RuntimeError])
async def test_a_fault_in_forwarding_is_servfail_at_once(start, fault, monkeypatch):
    async with FakeNameserver(says("60 A 192.0.2.1")) as upstream:
        server = await start(dns_nameservers=(place(upstream),))

        async def fails(*_, **__):
            raise fault("odd")

        monkeypatch.setattr(server.service, "_found", fails)
        assert (await udp(server, "www.example.com")).rcode() == dns.rcode.SERVFAIL  # or there is none


async def test_a_failure_is_no_stale_answer(start):
    """It was kept for a second, and given in the place of the answer that a slow nameserver gave afterwards."""
    async with FakeNameserver(says(rcode=dns.rcode.SERVFAIL)) as upstream:
        server = await start(dns_nameservers=(place(upstream),), times=FAST)
        assert (await udp(server, "www.example.com")).rcode() == dns.rcode.SERVFAIL
        upstream.reply = says("60 A 192.0.2.1")
        async with asyncio.timeout(5):
            while (await udp(server, "www.example.com")).rcode() == dns.rcode.SERVFAIL:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.05)  # a failure is kept for a second (RFC 9520), here for a twentieth


async def test_without_a_nameserver_it_is_servfail(start):
    server = await start(alone=True)
    assert (await udp(server, "www.example.com")).rcode() == dns.rcode.SERVFAIL


@pytest.mark.parametrize("ask", [udp, tcp])
async def test_an_alias_elsewhere_of_a_name_of_ours_leads_to_our_records(start, ask):
    false = ("nginx.services.haystack. 60 A 203.0.113.66", "db.services.haystack. 60 A 203.0.113.66")
    async with FakeNameserver(says("60 CNAME nginx.services.haystack.", *false)) as upstream:
        server = await start(dns_nameservers=(place(upstream),))
        for _ in range(2):  # from the nameserver, and from the cache
            alias, own = (await ask(server, "www.example.com")).answer
            assert (alias.name.to_text(), alias[0].to_text()) == ("www.example.com.", "nginx.services.haystack.")
            assert (own.name.to_text(), [each.to_text() for each in own]) == ("nginx.services.haystack.", ["127.0.0.1"])
        assert upstream.asked == 1


async def test_an_alias_of_a_name_of_ours_that_is_not_there_is_nxdomain(start):
    async with FakeNameserver(says("60 CNAME gone.services.haystack.", "gone.services.haystack. 60 A 203.0.113.66")) as upstream:
        message = await udp(await start(dns_nameservers=(place(upstream),)), "www.example.com")
    assert (message.rcode(), len(message.answer)) == (dns.rcode.NXDOMAIN, 1)
    assert message.authority[0].name.to_text() == "haystack."


async def test_a_long_answer_behind_an_alias_is_cut_over_udp_and_whole_over_tcp(start):
    async with FakeNameserver(says("60 CNAME db.services.haystack.")) as upstream:
        server = await start(dns_nameservers=(place(upstream),))
        query = dns.message.make_query("www.example.com", "A")
        message, fell_back = await dns.asyncquery.udp_with_fallback(query, "127.0.0.1", timeout=5, port=server.port)
    assert fell_back
    assert [len(rrset) for rrset in message.answer] == [1, 99]


@pytest.mark.parametrize("ask", [udp, tcp])
async def test_an_alias_of_ours_that_leads_elsewhere_is_followed_there(start, ask):
    mail = wire.name("mail.haystack")
    records = {mail: ((5, 60, wire.name("www.example")),), wire.name("two.haystack"): ((5, 60, mail),)}
    async with FakeNameserver(says("60 A 192.0.2.1")) as upstream:
        server = await start(dns_nameservers=(place(upstream),), records=records)
        for _ in range(2):
            for name, links in (("mail.haystack", 1), ("Two.haystack", 2)):
                message = await ask(server, name)
                assert message.rcode() == dns.rcode.NOERROR
                assert [len(rrset) for rrset in message.answer] == [1] * (links + 1)
                assert message.answer[-1].to_text() == "www.example. 60 IN A 192.0.2.1"
        assert upstream.asked == 1
    [alias] = (await ask(server, "mail.haystack", "CNAME")).answer
    assert alias.to_text() == "mail.haystack. 60 IN CNAME www.example."


async def test_a_domain_has_nameservers_of_its_own(start):
    async with FakeNameserver(says("60 A 192.0.2.1")) as corp, FakeNameserver(NXDOMAIN) as others:
        forward = f"corp.example={place(corp)};10.in-addr.arpa={place(corp)}"
        server = await start(dns_nameservers=(place(others),), dns_forward=forwarding_setting.read(forward))
        assert (await udp(server, "example")).rcode() == dns.rcode.NXDOMAIN
        for name in ("corp.example", "www.Corp.example"):
            assert (await udp(server, name)).answer[0][0].to_text() == "192.0.2.1"
        assert (await udp(server, "mycorp.example")).rcode() == dns.rcode.NXDOMAIN


async def test_a_private_reverse_zone_with_a_nameserver_is_asked_there_but_for_what_is_ours(start):
    async with FakeNameserver(says("60 PTR printer.corp.example.")) as corp:
        server = await start(dns_forward=forwarding_setting.read(f"10.in-addr.arpa={place(corp)}"))
        assert (await udp(server, "9.9.9.10.in-addr.arpa", "PTR")).answer[0][0].to_text() == "printer.corp.example."
        assert (await udp(server, "10.in-addr.arpa", "PTR")).answer[0][0].to_text() == "printer.corp.example."
        assert (await udp(server, "7.0.0.10.in-addr.arpa", "PTR")).answer[0][0].to_text().endswith(".containers.haystack.")
        assert (await udp(server, "9.9.168.192.in-addr.arpa", "PTR")).rcode() == dns.rcode.NXDOMAIN


async def test_names_of_ours_have_no_other_nameserver(start):
    async with FakeNameserver(says("60 A 203.0.113.66")) as upstream:
        forward = f"haystack={place(upstream)};localhost={place(upstream)}"
        server = await start(dns_forward=forwarding_setting.read(forward))
        assert (await udp(server, "gone.haystack")).rcode() == dns.rcode.NXDOMAIN
        assert (await udp(server, "services.haystack")).rcode() == dns.rcode.NOERROR
        assert (await udp(server, "www.localhost")).answer[0][0].to_text() == "127.0.0.1"
        assert upstream.asked == 0


async def test_haystack_is_no_nameserver_of_its_own(start):
    server = await start(alone=True)
    for name in ("example.com", "corp.example"):
        message = await udp(server, name, use_edns=0)
        assert message.options[0].code == dns.edns.EDECode.NO_REACHABLE_AUTHORITY


async def test_rows_of_the_log_that_nobody_takes_are_bounded_and_counted(start):
    server = await start(dns_log="json")
    name = ".".join(["x" * 60] * 3 + ["services", "haystack"])
    query = dns.message.make_query(name, "A").to_wire()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    total = 20_000
    writer.write((struct.pack("!H", len(query)) + query) * total)
    for _ in range(total):
        (length,) = struct.unpack("!H", await reader.readexactly(2))
        await reader.readexactly(length)
    writer.close()
    rows, count, dropped = server.worker.server.responder.log.take()
    assert count + dropped == total
    assert dropped > 0
    assert 3 << 20 < len(rows) <= 4 << 20
    await udp(server, "nginx.services.haystack")
    assert server.worker.server.responder.log.take()[1:] == (1, 0)


async def test_the_log_says_which_answers_were_limited(start):
    server = await start(dns_log="json")
    server.worker.admit(Networks(*STRANGERS))
    query = dns.message.make_query("nginx.services.haystack", "A").to_wire()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        for _ in range(100):
            client.sendto(query, ("127.0.0.1", server.port))
    log, rows = server.worker.server.responder.log, b""
    async with asyncio.timeout(5):
        while rows.count(b"\5nginx") < 100:
            await asyncio.sleep(0.01)
            rows += (log.take() or (b"",))[0]
    written = []
    lines = QueryLog({}, lambda text, _count, _dropped: written.append(text), plain=False)
    lines.take(0, rows, 100, 0)
    await lines.close()
    told = Counter(json.loads(line)["limited"] for line in b"".join(written).splitlines())
    limit = server.worker.server.rate_limit
    assert limit.dropped > 0
    assert told == {"": 100 - limit.slipped - limit.dropped, "truncated": limit.slipped, "dropped": limit.dropped}


async def test_pipelined_queries_overtake_a_slow_one(start):
    async with FakeNameserver(silent) as upstream:
        server = await start(dns_nameservers=(place(upstream),), times=FAST)
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        queries = [dns.message.make_query(name, "A", id=n) for n, name in enumerate(("slow.example", "haystack", "db.services.haystack"))]
        writer.write(b"".join(struct.pack("!H", len(q.to_wire())) + q.to_wire() for q in queries))
        writer.write_eof()
        ids = []
        async with asyncio.timeout(5):
            for _ in queries:
                (length,) = struct.unpack("!H", await reader.readexactly(2))
                ids.append(dns.message.from_wire(await reader.readexactly(length)).id)
            assert await reader.read() == b""
        writer.close()
    assert ids == [1, 2, 0]


@pytest.mark.parametrize("start_of", [b"", b"\0", b"\0\x40abc"])
async def test_a_connection_that_falls_silent_is_closed(start, start_of):
    server = await start(idle=0.05)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(start_of)
    async with asyncio.timeout(5):
        assert await reader.read() == b""
    writer.close()


async def test_when_all_connections_are_taken_the_longest_silent_one_of_who_has_most_is_closed(start):
    """128 silent connections of one stranger locked everybody out, again and again."""
    server = await start(clients=3)
    async with contextlib.AsyncExitStack() as stack:
        readers = []
        for where in ("127.0.0.1", "127.0.0.2", "127.0.0.2"):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port, local_addr=(where, 0))
            stack.callback(writer.close)
            readers.append(reader)
        assert (await tcp(server, "nginx.services.haystack", source="127.0.0.3")).answer
        async with asyncio.timeout(5):
            assert await readers[1].read() == b""
        assert not any(readers[n].at_eof() for n in (0, 2))


async def test_a_thousand_queries_at_once_of_one_connection_are_answered_in_turns(start):
    """A datagram that comes in the meantime is answered between two of these turns."""
    server = await start()
    query = dns.message.make_query("haystack", "A").to_wire()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write((struct.pack("!H", len(query)) + query) * 1000)
    writer.write_eof()
    async with asyncio.timeout(15):
        assert len(await reader.read()) == 1000 * (2 + len(query) + 16)
    writer.close()


async def test_a_port_that_is_taken_is_named(start):
    server = await start()
    with pytest.raises(OSError, match=f"tcp 127.0.0.1 port {server.port}: Address already in use"):
        LocalDns(picture(), dns_port=server.port)


async def test_a_flood_in_the_name_of_one_network_outside_is_cut_short_and_tcp_is_not(start):
    server = await start()
    server.worker.admit(Networks(*STRANGERS))
    query = dns.message.make_query("nginx.services.haystack", "A")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.setblocking(False)
        client.connect(("127.0.0.1", server.port))
        for _ in range(100):
            client.send(query.to_wire())
        replies = []
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(5):
            while len(replies) < 80:
                replies.append(dns.message.from_wire(await loop.sock_recv(client, 512), raise_on_truncation=False))
        with pytest.raises(BlockingIOError):
            client.recv(512)
    assert [bool(reply.answer) for reply in replies].count(True) in range(60, 64)
    assert all(reply.answer or reply.flags & dns.flags.TC for reply in replies)
    assert (await tcp(server, "nginx.services.haystack")).answer


@pytest.mark.skipif(shutil.which("dig") is None, reason="no dig here (Debian package bind9-dnsutils)")
@pytest.mark.parametrize("more", [[], ["+tcp"], ["+noedns"]])
async def test_dig_understands(start, more):
    server = await start()
    words = ["dig", "@127.0.0.1", "-p", str(server.port), "+short", *more, "_http._tcp.NGINX.services.haystack", "SRV"]
    process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    assert out.decode().strip().startswith("100 100 80 c2")


def test_on_uvloop_as_in_production_and_nothing_is_left_open():
    async def main():
        async with FakeNameserver(says("60 A 192.0.2.1")) as upstream:
            server = await LocalDns(picture(), bind=(), dns_nameservers=(place(upstream),)).start()
            for ask in (udp, tcp):
                assert (await ask(server, "ns.haystack")).answer[0][0].to_text() == "127.0.0.1"
                assert (await ask(server, f"{ask.__name__}.example")).answer
            await server.close()

    async def nothing():
        """What uvloop keeps for the life of the process is made here."""

    uvloop.run(nothing())
    before = len(list(Path("/proc/self/fd").iterdir()))
    uvloop.run(main())
    assert len(list(Path("/proc/self/fd").iterdir())) == before

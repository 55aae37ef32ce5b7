"""DNS as it can be seen: a real process is asked, and /metrics and the shell tell of it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import tempfile
from contextlib import asynccontextmanager

import asyncssh
import dns.asyncquery
import dns.message
import pytest

from tests.fakes.client import Client
from tests.fakes.worker import Haystack, Member
from tests.unit.dns.nameserver import GOOD, FakeNameserver

NAME = "web.services.haystack"
PATIENCE = 15
KEY = asyncssh.generate_private_key("ssh-ed25519")


class Seen:
    """One Haystack with a container `webx0` at 127.0.0.1, and a nameserver that knows everything."""

    def __init__(self, haystack: Haystack, shell: asyncssh.SSHClientConnection) -> None:
        self.haystack, self._shell = haystack, shell
        self.port = haystack.wait("ready")["dns"]

    async def ask(self, name: str, kind: str = "A", *, tcp: bool = False) -> dns.message.Message:
        """The answer."""
        how = dns.asyncquery.tcp if tcp else dns.asyncquery.udp
        return await how(dns.message.make_query(name, kind), "127.0.0.1", timeout=PATIENCE, port=self.port)

    async def metrics(self) -> dict[str, float]:
        """The samples of /metrics."""

        def page() -> str:
            with Client(self.haystack.port) as client:
                return client.get("localhost", "/metrics").body.decode()

        lines = (await asyncio.to_thread(page)).splitlines()
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if not line.startswith("#"))}

    async def counted(self, queries: int) -> dict[str, float]:
        """The samples of /metrics as soon as so many queries are in them: a worker that is slow to report is told of later."""
        async with asyncio.timeout(PATIENCE):
            while True:
                found = await self.metrics()
                if sum(value for name, value in found.items() if name.startswith("haystack_dns_queries_total")) >= queries:
                    return found

    async def shell(self, line: str) -> tuple[int, str]:
        """Status and text of a command."""
        done = await asyncio.wait_for(self._shell.run(line), PATIENCE)
        return done.exit_status, str(done.stdout) + str(done.stderr)


@asynccontextmanager
async def running(reply=GOOD, **settings):
    """A process, and a shell."""
    keys = {"HAYSTACK_SSH_AUTHORIZED_KEYS": KEY.export_public_key().decode()}
    async with FakeNameserver(reply) as upstream:
        place = f"127.0.0.1:{upstream.address.port}"
        haystack = Haystack([Member("web", 9)], HAYSTACK_DNS_NAMESERVERS=place, **keys, **settings)
        await asyncio.to_thread(haystack.__enter__)
        try:
            port = haystack.wait("ready")["ssh"]
            async with asyncssh.connect("127.0.0.1", port, client_keys=[KEY], known_hosts=None, username="x", config=None) as shell:
                yield Seen(haystack, shell)
        finally:
            await asyncio.to_thread(haystack.stop)


def queries(kind, rcode, source):
    """The name of a sample."""
    return f'haystack_dns_queries_total{{rcode="{rcode}",source="{source}",type="{kind}"}}'


async def test_each_answer_is_counted_once_whoever_gave_it_and_however_it_came():
    async with running(HAYSTACK_WORKERS="2") as seen:
        for tcp in (False, True):
            await seen.ask(NAME, tcp=tcp)
            await seen.ask("nosuch.services.haystack", "MX", tcp=tcp)
        await seen.ask("www.example")
        for _ in range(20):  # either worker asks once
            await seen.ask("www.example")
        found = await seen.counted(4 + 21)
    assert found[queries("A", "NOERROR", "zone")] == 2
    assert found[queries("MX", "NXDOMAIN", "zone")] == 2
    upstream, cache = (found.get(queries("A", "NOERROR", source), 0) for source in ("upstream", "cache"))
    assert (upstream + cache, upstream in (1, 2)) == (21, True)
    assert found["haystack_dns_answer_seconds_count"] == 4 + cache
    assert found["haystack_dns_forwarded_answer_seconds_count"] == upstream
    assert 0 < found["haystack_dns_forwarded_answer_seconds_sum"] < PATIENCE
    assert found['haystack_dns_cache_entries{cache="workers"}'] == upstream
    assert found['haystack_dns_cache_entries{cache="control"}'] == 1
    (asked,) = (value for name, value in found.items() if name.startswith("haystack_nameserver_questions_total"))
    assert asked == 1


async def test_a_worker_that_is_replaced_takes_no_count_with_it():
    async with running() as seen:
        await seen.ask(NAME)
        before = await seen.counted(1)
        os.kill(seen.haystack.workers()[0], signal.SIGKILL)
        await asyncio.to_thread(seen.haystack.wait, "worker.died")
        await seen.ask(NAME)
        after = await seen.counted(2)
    sample = queries("A", "NOERROR", "zone")
    assert (before[sample], after[sample]) == (1, 2)


async def test_the_shell_says_where_an_answer_comes_from():
    async with running() as seen:
        assert await seen.shell(f"dig {NAME}") == (
            0,
            f";; NOERROR, 1 answer\n{NAME}.  5       IN      A       127.0.0.1\n;; from the zone\n",
        )
        status, first = await seen.shell("dig www.example")
        _, second = await seen.shell("dig www.example")
    assert status == 0
    assert "192.0.2.1" in first
    assert first.splitlines()[-1].startswith(";; from nameserver 127.0.0.1:")
    assert second.splitlines()[-1].startswith((";; from the cache, for 60 s more", ";; from the cache, for 59 s more"))


async def test_a_slow_nameserver_holds_up_no_other_command():
    async with running(lambda _query, _tcp: None) as seen:
        slow = asyncio.create_task(seen.shell("dig www.example"))
        async with asyncio.timeout(4):
            assert (await seen.shell("version"))[0] == 0
            assert (await seen.shell(f"dig {NAME}"))[0] == 0
            assert not slow.done()
        status, text = await slow
    assert status == 1
    assert ";; failure: no nameserver answered (nameservers: 127.0.0.1:" in text


async def asked(seen, word):
    """What `who` tells of DNS: this machine is also who calls the service, to see that it is there."""
    _, told = await seen.shell(f"who {word} --json")
    return [row for row in json.loads(told) if row["types"] != ["HTTP"]]


@pytest.mark.parametrize("word", ["webx0", "127.0.0.1"])
async def test_who_asked(word):
    async with running(HAYSTACK_WORKERS="2") as seen:
        before = await asked(seen, word)
        for _ in range(10):
            await seen.ask(NAME)
        await seen.ask("WWW.example", "AAAA", tcp=True)
        (row,) = await asked(seen, NAME)
        _, text = await seen.shell(f"who {word}")
        nobody = await seen.shell("who other.example")
    assert before == []
    assert (row["name"], row["containers"], row["address"], row["types"], row["times"]) == (NAME, ["webx0"], "127.0.0.1", ["A"], 10)
    assert 0 <= row["ago"] < PATIENCE
    assert {line.split()[0] for line in text.splitlines()[2:]} == {NAME, "www.example"}
    assert nobody == (1, "nobody has asked for other.example lately\n")


@pytest.mark.parametrize("form", ["json", "text"])
async def test_each_answer_has_its_line_and_none_is_lost_at_the_end(form):
    with tempfile.TemporaryFile() as out:
        async with running(out=out, HAYSTACK_DNS_LOG=form, HAYSTACK_ACCESS_LOG="json") as seen:
            await seen.ask("Web.services.haystack")
            await seen.ask("nosuch.services.haystack", "HTTPS", tcp=True)
            await seen.ask("www.example")
            await seen.ask("www.example")
        out.seek(0)
        lines = [line for line in out.read().decode().splitlines() if "readyz" not in line]
    if form == "json":
        found = [json.loads(line) for line in lines]
        told = [tuple(each[name] for name in ("client", "container", "name", "type", "rcode", "source", "protocol")) for each in found]
        assert all(0 < each["ms"] < 1000 * PATIENCE and each["worker"] == 0 for each in found)
    else:
        told = [tuple(word for word in line.split(" ")[1:] if not word.endswith("ms")) for line in lines]
    assert told == [
        ("127.0.0.1", "webx0", NAME, "A", "NOERROR", "zone", "udp"),
        ("127.0.0.1", "webx0", "nosuch.services.haystack", "HTTPS", "NXDOMAIN", "zone", "tcp"),
        ("127.0.0.1", "webx0", "www.example", "A", "NOERROR", "upstream", "udp"),
        ("127.0.0.1", "webx0", "www.example", "A", "NOERROR", "cache", "udp"),
    ]


async def test_off_nothing_is_written():
    with tempfile.TemporaryFile() as out:
        async with running(out=out) as seen:
            await seen.ask(NAME)
        out.seek(0)
        assert out.read() == b""

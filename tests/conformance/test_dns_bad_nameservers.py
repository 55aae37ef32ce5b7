"""Nameservers that are silent, slow, lying, garbled, cut off or forwarding to us, all at once, as clients of port 53 see it."""

import asyncio
import contextlib
from types import SimpleNamespace

import dns.asyncquery
import dns.rcode

from tests.fakes.dns import place, tcp, udp
from tests.fakes.worker import Haystack, Member, host
from tests.unit.dns.nameserver import (
    GOOD,
    SERVFAIL,
    TRUNCATED,
    FakeNameserver,
    cut_off,
    echoing,
    in_turn,
    lying_about_the_name,
    lying_about_the_type,
    over_tcp,
    says,
    silent,
)

ADDRESS = "192.0.2.1"  # of GOOD
LONG = 20.0
WEB = host("web")


class Looping:
    """Asks Haystack whatever it is asked. port: where that answers."""

    def __init__(self):
        self.port = 0
        self.tasks = []

    def __call__(self, query, tcp):
        self.tasks.append(asyncio.create_task(dns.asyncquery.udp(query, "127.0.0.1", timeout=LONG, port=self.port)))

    async def close(self):
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


async def test_the_zone_is_answered_throughout_and_nobody_gets_what_they_made_up():
    looping = Looping()
    replies = {
        "silent": (silent, "SERVFAIL"),
        "slow": (in_turn(silent, silent, GOOD), ADDRESS),
        "lying-name": (lying_about_the_name, "SERVFAIL"),
        "lying-type": (lying_about_the_type, "SERVFAIL"),
        "lying-of-ours": (says(f"60 A {ADDRESS}", f"{WEB}. 60 A 203.0.113.66"), ADDRESS),
        "echoing": (echoing, "SERVFAIL"),
        "garbled": (cut_off, "SERVFAIL"),
        "failing": (SERVFAIL, "SERVFAIL"),
        "cut": (TRUNCATED, "SERVFAIL"),
        "cut-without-tcp": (over_tcp(silent), "SERVFAIL"),
        "cut-over-udp-alone": (over_tcp(GOOD), ADDRESS),
        "looping": (looping, "SERVFAIL"),
    }
    async with contextlib.AsyncExitStack() as stack:
        servers = {kind: await stack.enter_async_context(FakeNameserver(reply)) for kind, (reply, _) in replies.items()}
        stack.push_async_callback(looping.close)
        forward = ";".join(f"{kind}.example={place(each)}" for kind, each in servers.items())
        haystack = stack.enter_context(Haystack([Member("web", 9)], HAYSTACK_DNS_FORWARD=forward, HAYSTACK_WORKERS="2"))
        looping.port = haystack.wait("ready")["dns"]
        server = SimpleNamespace(port=looping.port)
        asked = {
            (kind, ask.__name__): asyncio.create_task(ask(server, f"{ask.__name__}.{kind}.example", patience=LONG))
            for kind in replies
            for ask in (udp, tcp)
        }
        rounds = 0
        while not all(task.done() for task in asked.values()):
            for ask in (udp, tcp):
                assert said(await ask(server, WEB)) == "127.0.0.1"
            await asyncio.sleep(0.02)
            rounds += 1
        assert rounds > 30  # while the last of them is outstanding: that is 4.8 s
        assert {key: said(task.result()) for key, task in asked.items()} == {key: replies[key[0]][1] for key in asked}
        assert [kind for kind, each in servers.items() if not each.asked] == []


def said(message):
    """The address, or why there is none."""
    return message.answer[0][0].to_text() if message.answer else dns.rcode.to_text(message.rcode())

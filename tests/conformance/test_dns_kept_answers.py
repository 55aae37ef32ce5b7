"""What a worker keeps of other nameservers' answers, as clients of port 53 see it.

It is asked for anew before it ends. While the control process says nothing, it is given past its end (RFC 8767; docs/decisions/0013).
"""

import asyncio
import contextlib

import dns.edns
import dns.rcode
import pytest

from haystack.dns import wire
from haystack.proxy import worker_dns
from tests.fakes.dns import LocalDns, place, tcp, udp
from tests.unit.dns.conftest import picture
from tests.unit.dns.nameserver import FakeNameserver, says

NAME, GONE = "www.example", "gone.example"
OLD, NEW = "192.0.2.1", "192.0.2.2"
ATTEMPTS = 5  # a machine that stands still for a tenth of a second misses the last moments of an answer
LONG = 20.0


class Channel:
    """What a worker has the control process asked. silent: it gets no answer, as from a control process that stands still."""

    def __init__(self, server):
        self.silent = False
        self.questions = []
        self._held = []
        self._asked = server.service.asked
        server.service.asked = self._take

    def _take(self, questions, reply):
        self.questions += questions
        if self.silent:
            self._held.append((questions, reply))
        else:
            self._asked(questions, reply)

    def let_go(self):
        """Answer what was held back, and all that follows."""
        self.silent = False
        for questions, reply in self._held:
            self._asked(questions, reply)

    def names(self):
        """What clients waited for, in this order."""
        return [wire.parse(each.packet).key for each in self.questions if not each.hot]


@pytest.fixture
async def start():
    async with contextlib.AsyncExitStack() as stack:

        async def start(upstream):
            made = LocalDns(picture(), dns_nameservers=(place(upstream),))
            stack.push_async_callback(made.close)
            return await made.start(), Channel(made)

        yield start


def address(message):
    return message.answer[0][0].to_text()


def errors(message):
    return [option.code for option in message.options]


async def first(ask, good):
    """The first answer that is good, and how long it was waited for. Nothing tells a client when an answer ends."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(LONG):
        while True:
            began = loop.time()
            if good(message := await ask()):
                return message, loop.time() - began
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("ask", [udp, tcp])
async def test_an_answer_that_is_asked_for_is_fetched_anew_before_it_ends(start, ask):
    """Nobody waits for it: who asks in its last moments gets the old one at once, and who asks next the new one."""
    async with FakeNameserver(says(f"2 A {OLD}")) as upstream:
        server, channel = await start(upstream)
        for attempt in range(ATTEMPTS):
            if await is_renewed(channel, lambda name=f"{attempt}.example": ask(server, name), upstream):
                return
    pytest.fail("it was asked for again only after it had ended")


async def is_renewed(channel, ask, upstream):
    """Whether no client waited for the second answer."""
    channel.questions.clear()
    upstream.reply = says(f"2 A {OLD}")
    assert address(await ask()) == OLD
    upstream.reply = says(f"60 A {NEW}")
    await first(ask, lambda message: address(message) == NEW)
    return [each.hot for each in channel.questions] == [False, True]


def two_names(query, tcp):
    """An address for one of them, no such name for the other, for a second each."""
    if query.question[0].name.to_text().lower().startswith("gone."):
        return says(rcode=dns.rcode.NXDOMAIN, authority=["1 SOA ns.example. host.example. 1 2 3 4 1"])(query, tcp)
    return says(f"1 A {OLD}")(query, tcp)


STALE = [
    (NAME, dns.rcode.NOERROR, dns.edns.EDECode.STALE_ANSWER),
    (GONE, dns.rcode.NXDOMAIN, dns.edns.EDECode.STALE_NXDOMAIN_ANSWER),
]


@pytest.mark.parametrize("ask", [udp, tcp])
@pytest.mark.parametrize(("name", "rcode", "error"), STALE)
async def test_while_the_control_process_is_silent_what_has_ended_is_given(start, ask, name, rcode, error):
    async with FakeNameserver(two_names) as upstream:
        server, channel = await start(upstream)
        assert (await ask(server, name)).rcode() == rcode
        channel.silent = True
        message, took = await first(lambda: ask(server, name, use_edns=0), errors)
        assert (message.rcode(), errors(message), ttls(message)) == (rcode, [error], [30])
        assert took > 1.5  # a newer one is waited for (RFC 8767, section 5)
        asked = len(channel.questions)
        assert errors(await ask(server, name, use_edns=0)) == [error]  # the same for who asks while that question is outstanding
        assert len(channel.questions) == asked
        upstream.reply = says(f"60 A {NEW}")
        channel.let_go()
        fresh, _ = await first(lambda: ask(server, name, use_edns=0), lambda message: not message.options)
        assert address(fresh) == NEW


def ttls(message):
    return [rrset.ttl for rrset in (*message.answer, *message.authority)]


async def test_without_an_answer_of_old_it_is_servfail_once_the_control_process_would_have_given_up(start):
    """The control process says so itself after 4.8 s: only where it says nothing does a worker."""
    async with FakeNameserver(two_names) as upstream:
        server, channel = await start(upstream)
        channel.silent = True
        loop = asyncio.get_running_loop()
        began = loop.time()
        messages = await asyncio.gather(*(ask(server, NAME, use_edns=0, patience=LONG) for ask in (udp, tcp)))
        assert loop.time() - began > 5
        for message in messages:
            assert (message.rcode(), errors(message)) == (dns.rcode.SERVFAIL, [dns.edns.EDECode.NETWORK_ERROR])
        channel.let_go()
        assert address(await udp(server, NAME)) == OLD


@pytest.mark.parametrize("ask", [udp, tcp])
async def test_without_room_for_another_question_what_has_ended_is_given_at_once(start, ask, monkeypatch):
    monkeypatch.setattr(worker_dns, "WAITING", 1)
    async with FakeNameserver(two_names) as upstream:
        server, channel = await start(upstream)
        assert (await ask(server, NAME)).answer
        channel.silent = True
        waiting = asyncio.create_task(udp(server, "other.example", patience=LONG))
        message, _ = await first(lambda: ask(server, NAME, use_edns=0), errors)
        assert (address(message), errors(message)) == (OLD, [dns.edns.EDECode.STALE_ANSWER])
        assert (await ask(server, "new.example")).rcode() == dns.rcode.SERVFAIL
        assert channel.names() == [wire.name(NAME), wire.name("other.example")]
        channel.let_go()
        assert (await waiting).answer

"""DNS while things go wrong: a worker dies, the control process stands still, clients come in thousands, one of them floods."""

from __future__ import annotations

import itertools
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import dns.edns
import dns.exception
import dns.message
import dns.query
import dns.rcode
import pytest

from haystack.net import descriptors
from tests.fakes.client import Client
from tests.fakes.load import Load
from tests.fakes.many import ManyClients, address
from tests.fakes.nameserver import SILENT, Nameserver
from tests.fakes.origin import Origin
from tests.fakes.worker import Haystack, Member, halt, host, until, wake
from tests.fakes.worker import descriptors as opened

WEB = host("web")
CLIENTS = 10_000
AT_ONCE = 100  # a socket buffers 208 KiB (net.core.rmem_default), of which a datagram takes 768 octets at least
HELD = 3.0  # seconds for which a nameserver may hold an answer back, and a busy machine has time left to give it
LOST = 5.0  # seconds without an answer: on a busy machine another worker may need one to begin


@pytest.fixture
def nameserver() -> Iterator[Nameserver]:
    with Nameserver() as made:
        yield made


@contextmanager
def running(origin: Origin, nameserver: Nameserver, **more: str) -> Iterator[Haystack]:
    """A Haystack that asks this nameserver, with `dns` its port."""
    settings = asked(nameserver) | more
    with Haystack([Member("web", origin.port)], **settings) as haystack:
        workers = int(settings["HAYSTACK_WORKERS"])
        until(lambda: len(haystack.workers()) == workers, 10, "the workers never came up")
        yield haystack


def asked(nameserver: Nameserver) -> dict[str, str]:
    return {"HAYSTACK_DNS_NAMESERVERS": f"127.0.0.1:{nameserver.port}", "HAYSTACK_WORKERS": "2"}


def port(haystack: Haystack) -> int:
    return int(haystack.wait("ready")["dns"])


class Asker(threading.Thread):
    """Asks a name again and again until `stop`, each question until it is answered. lost: how many had no answer within LOST."""

    def __init__(self, number: int, name: str) -> None:
        super().__init__()
        self.lost = self.answered = 0
        self.wrong: list[str] = []
        self.stop = threading.Event()
        self._number, self._query = number, dns.message.make_query(name, "A")

    def run(self) -> None:
        while not self.stop.is_set():
            try:
                answer = dns.query.udp(self._query, "127.0.0.1", timeout=LOST, port=self._number)
            except dns.exception.Timeout:
                self.lost += 1
                continue
            self.answered += 1
            if not answer.answer:
                self.wrong.append(str(answer))


@contextmanager
def asking(number: int, *names: str) -> Iterator[list[Asker]]:
    askers = [Asker(number, name) for name in names]
    for each in askers:
        each.start()
    try:
        go_on(askers)
        yield askers
        go_on(askers)
    finally:
        for each in askers:
            each.stop.set()
        for each in askers:
            each.join()
    assert [each.wrong for each in askers] == [[]] * len(askers)


def go_on(askers: list[Asker], more: int = 20) -> None:
    """Wait until each was answered so often again."""
    target = [each.answered + more for each in askers]
    until(lambda: all(each.answered >= n for each, n in zip(askers, target, strict=True)), 30, "a client got no answer")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_worker_that_is_killed_takes_with_it_only_what_it_had_in_hand(origin: Origin, nameserver: Nameserver, workers: str) -> None:
    """What waits in its socket is the next one's: the sockets are lent."""
    kills = 3
    with running(origin, nameserver, HAYSTACK_WORKERS=workers) as haystack, asking(port(haystack), *[WEB] * 6, "cached.example") as askers:
        for _ in range(kills):
            before = haystack.workers()
            os.kill(before[0], signal.SIGKILL)
            until(lambda gone=before[0]: gone not in (now := haystack.workers()) and len(now) == int(workers), 10, "it was not replaced")
            go_on(askers)
        assert sum(each.lost for each in askers) <= kills * len(askers)
        assert all(each.lost <= kills for each in askers)


def test_what_a_worker_has_not_read_when_it_is_killed_is_the_next_ones(origin: Origin, nameserver: Nameserver) -> None:
    """Each client asks once, and asks never again."""
    with running(origin, nameserver, HAYSTACK_WORKERS="1") as haystack, ManyClients(port(haystack)) as clients:
        [worker] = haystack.workers()
        halt(worker)
        for number in range(2 * AT_ONCE):
            clients.send(number, WEB)
        os.kill(worker, signal.SIGKILL)
        answered = dict(clients.receive() for _ in range(2 * AT_ONCE))
    assert {client: data[3] & 15 for client, data in answered.items()} == {address(number): 0 for number in range(2 * AT_ONCE)}


def test_while_the_control_process_stands_still_the_zone_and_what_is_cached_are_answered(origin: Origin, nameserver: Nameserver) -> None:
    with running(origin, nameserver, HAYSTACK_WORKERS="1") as haystack:
        with asking(port(haystack), WEB, WEB, "cached.example", "www.cached.example") as askers:
            halt(haystack.process.pid)
            try:
                for _ in range(10):
                    go_on(askers)
            finally:
                wake(haystack.process.pid)
        assert [each.lost for each in askers] == [0] * len(askers)
        assert set(nameserver.asked.values()) == {1}


def test_a_question_that_waits_while_the_control_process_stands_still_is_answered_afterwards(
    origin: Origin, nameserver: Nameserver
) -> None:
    with running(origin, nameserver, HAYSTACK_WORKERS="1") as haystack, ManyClients(port(haystack)) as clients:
        halt(haystack.process.pid)
        try:
            clients.send(1, "new.example")
            clients.send(2, WEB)
            assert clients.receive()[0] == address(2)
        finally:
            wake(haystack.process.pid)
        client, data = clients.receive()
        assert (client, data[3] & 15) == (address(1), 0)


def test_while_the_control_process_stands_still_what_has_ended_is_given_and_what_was_never_kept_is_servfail(origin: Origin) -> None:
    """More of this, in one process: test_dns_kept_answers.py."""
    with Nameserver(ttl=1) as nameserver, running(origin, nameserver, HAYSTACK_WORKERS="1") as haystack:
        number = port(haystack)
        assert answer(number, "www.example").answer
        with ManyClients(number) as clients:
            halt(haystack.process.pid)
            try:
                clients.send(1, "new.example")
                until(lambda: answer(number, "www.example").options, 10, "what has ended is not given")
                stale, (client, data) = answer(number, "www.example"), clients.receive()
            finally:
                wake(haystack.process.pid)
        assert [rrset.to_text() for rrset in stale.answer] == ["www.example. 30 IN A 192.0.2.1"]
        assert [option.code for option in stale.options if isinstance(option, dns.edns.EDEOption)] == [dns.edns.EDECode.STALE_ANSWER]
        assert (client, data[3] & 15) == (address(1), dns.rcode.SERVFAIL)
        until(lambda: not answer(number, "www.example").options, 10, "it is given still")


def answer(number: int, name: str) -> dns.message.Message:
    return dns.query.udp(dns.message.make_query(name, "A", use_edns=0), "127.0.0.1", timeout=LOST, port=number)


LIMIT, NAMES = 1024, 1050  # file descriptors of a process, as many systems have it; names
ROUNDS = 3  # nobody answers them for 4.8 s: a busy machine may need longer for all that is to be seen meanwhile


def test_a_thousand_names_whose_nameservers_are_silent_take_no_descriptor_that_others_need(origin: Origin, nameserver: Nameserver) -> None:
    """Each had its socket in the control process, and there was none left for DNS over TCP and /healthz."""
    rooms = descriptors.control(LIMIT, 1, 1).questions
    with Nameserver() as second, ExitStack() as stack:
        servers = f"127.0.0.1:{nameserver.port},127.0.0.1:{second.port}"
        more = {"HAYSTACK_DNS_NAMESERVERS": servers, "HAYSTACK_WORKERS": "1", "descriptors": f"-n {LIMIT}"}
        haystack = stack.enter_context(running(origin, nameserver, **more))
        before = opened(haystack.process.pid)
        for attempt in range(ROUNDS):
            clients = stack.enter_context(ManyClients(port(haystack)))
            outstanding(clients, attempt)
            if not within(5, lambda: opened(haystack.process.pid) - before > rooms * 9 // 10):
                continue  # after 1.2 s each question that may has a second socket, and after 4.8 s none
            assert second.came.wait(5)
            for _ in range(3):
                others_are_served(haystack)
            if not clients.came():
                return
    pytest.fail("not once were all of them outstanding meanwhile")


def within(seconds: float, condition: Callable[[], bool]) -> bool:
    """Whether that came to be so in time."""
    end = time.monotonic() + seconds
    while not (met := condition()) and time.monotonic() < end:
        time.sleep(0.01)
    return met


def outstanding(clients: ManyClients, attempt: int) -> None:
    """Ask for NAMES silent names, a client each."""
    for number in range(NAMES):
        clients.send(number, f"r{attempt}x{number}.{SILENT}")
        if number % AT_ONCE == 0:
            assert clients.ask(range(NAMES, NAMES + 1), WEB)  # all before it have been read


def others_are_served(haystack: Haystack) -> None:
    """Over UDP, over TCP, and twelve at once of the web side, so that the control process takes new connections."""
    query = dns.message.make_query(WEB, "A")
    for ask in (dns.query.udp, dns.query.tcp):
        assert ask(query, "127.0.0.1", timeout=LOST, port=port(haystack)).answer
    with ExitStack() as stack:
        clients = [stack.enter_context(Client(haystack.port)) for _ in range(12)]
        for number, client in enumerate(clients):
            client.send(f"GET /{('healthz', 'readyz')[number % 2]} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert [client.response().status for client in clients] == [200] * len(clients)


@pytest.mark.parametrize("name", [WEB, "cached.example", "host{}.example"])
def test_ten_thousand_clients(origin: Origin, nameserver: Nameserver, name: str) -> None:
    """Of the zone, of the cache, and each for a name of its own that is forwarded."""
    with running(origin, nameserver) as haystack, ManyClients(port(haystack)) as clients:
        for first in range(0, CLIENTS, AT_ONCE):
            numbers = range(first, first + AT_ONCE)
            assert clients.ask(numbers, name) == {address(number): 0 for number in numbers}


def test_who_floods_with_random_names_keeps_nobody_from_forwarding(origin: Origin, nameserver: Nameserver) -> None:
    """A flood of random subdomains of a domain whose nameserver is silent ("water torture")."""
    with running(origin, nameserver) as haystack, ManyClients(port(haystack)) as clients, ManyClients(port(haystack)) as flood:
        over = threading.Event()
        flooding = threading.Thread(target=_flood, args=(flood, over))
        flooding.start()
        try:
            assert nameserver.came.wait(10)
            for first in range(0, 200, 20):
                numbers = range(first, first + 20)
                assert clients.ask(numbers, "host{}.example") == {address(number): 0 for number in numbers}
                assert clients.ask(numbers, WEB) == {address(number): 0 for number in numbers}
        finally:
            over.set()
            flooding.join()


def _flood(flood: ManyClients, over: threading.Event) -> None:
    number = 0
    while not over.wait(0.001):  # else it would be a flood of packets, which is another thing
        for _ in range(10):
            flood.send_from(60_000, number, f"r{number}.{SILENT}")
            number += 1


class Late(threading.Thread):
    """Asks for one silent name after the other while `old` is being replaced, and has all answered once it stops. sent: when, by number."""

    def __init__(self, old: Haystack, clients: ManyClients, nameserver: Nameserver) -> None:
        super().__init__()
        self.sent: dict[int, float] = {}
        self._old, self._clients, self._nameserver = old, clients, nameserver

    def run(self) -> None:
        self._old.wait("handover.started")
        for number in itertools.count(1):
            self.sent[number] = time.monotonic()
            self._clients.send(number, f"n{number}.{SILENT}")
            if self._old.says("haystack.stopping", 0.3):
                break
        until(lambda: self._nameserver.asked[f"n{number}.{SILENT}"], 5, "what was asked last does not come")
        self._nameserver.let_go()

    @property
    def recent(self) -> list[int]:
        """The numbers of the questions whose 4.8 s for an answer were not nearly over."""
        return [number for number, when in self.sent.items() if max(self.sent.values()) - when < HELD]


def test_a_handover_under_load_loses_no_query(origin: Origin, nameserver: Nameserver) -> None:
    """Of the zone, of the cache, and over TCP; and what is on its way to a nameserver when the new one takes over, the old one answers."""
    with ExitStack() as stack:
        old = stack.enter_context(running(origin, nameserver))
        number = port(old)
        clients = stack.enter_context(ManyClients(number))
        load = Load().dns(number, WEB).dns(number, "cached.example")
        with load, asking(number, *[WEB] * 4) as askers:
            load.go_on()
            late = Late(old, clients, nameserver)
            late.start()
            stack.enter_context(Haystack([Member("web", origin.port)], instead_of=old, **asked(nameserver)))
            late.join()
            codes = {client: data[3] & 15 for client, data in (clients.receive() for _ in late.sent)}
            old.ended(15)
            go_on(askers)
            load.go_on()
        assert len(codes) == len(late.sent)
        assert {each: codes[address(each)] for each in late.recent} == dict.fromkeys(late.recent, 0)
        assert not load.wrong
        assert [each.lost for each in askers] == [0] * len(askers)

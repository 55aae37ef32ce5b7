"""Haystacks that know each other by HAYSTACK_PEERS: the DNS of each answers with the addresses of all that live."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import dns.message
import dns.query
import pytest

from tests.fakes.client import Client
from tests.fakes.origin import Origin
from tests.fakes.ports import free_port
from tests.fakes.worker import Haystack, Member, host, until

ADDRESSES = ("127.0.0.11", "127.0.0.12")
PATIENCE = 20.0


class Behind(Haystack):
    """One whose HAYSTACK_PROXY_PROTOCOL has the address of this test, too."""

    def _readyz(self) -> int:
        try:
            with Client(self.port) as client:
                return client.send(b"PROXY UNKNOWN\r\n").get("localhost", "/readyz").status
        except OSError:
            return 0


@pytest.fixture(params=["", "127.0.0.0/28"], ids=["plain", "proxy protocol"])
def both(request: pytest.FixtureRequest, origin: Origin) -> Iterator[tuple[Haystack, Haystack]]:
    """Two of them with the same settings. Each listens at an address of its own, and asks the other one from 127.0.0.1."""
    kind = Behind if request.param else Haystack
    ports = [free_port(), free_port()]
    peers = ",".join(f"{address}:{port}" for address, port in zip(ADDRESSES, ports, strict=True))

    def made(number: int) -> Haystack:
        return kind(
            [Member("web", origin.port)],
            HAYSTACK_PEERS=peers,
            HAYSTACK_ADDRESS=ADDRESSES[number],
            HAYSTACK_BIND=f"127.0.0.1,{ADDRESSES[number]}",
            HAYSTACK_HTTP_PORT=str(ports[number]),
            HAYSTACK_PROXY_PROTOCOL=request.param,
        )

    with made(0) as one, made(1) as other:
        yield one, other


def addresses(haystack: Haystack) -> set[str]:
    question = dns.message.make_query(host("web"), "A")
    answer = dns.query.udp(question, "127.0.0.1", port=int(haystack.wait("ready")["dns"]), timeout=5)
    return {item.address for each in answer.answer for item in each}


def test_each_answers_with_all_that_live(both: tuple[Haystack, Haystack]) -> None:
    one, other = both
    for each in both:
        until(lambda each=each: addresses(each) == set(ADDRESSES), PATIENCE, lambda each=each: f"{addresses(each)} {each.lines[-5:]}")
    assert not [line for each in both for line in each.lines if line.get("event") == "client.unintroduced"]
    other.stop()
    until(lambda: addresses(one) == {ADDRESSES[0]}, PATIENCE, "it is told, still")


def page(haystack: Haystack, path: str) -> bytes:
    """Of its web side."""
    with Client(haystack.port) as client:
        if isinstance(haystack, Behind):
            client.send(b"PROXY UNKNOWN\r\n")
        return client.get("localhost", path).body


def told(haystack: Haystack) -> dict[str, dict[str, Any]]:
    """Its peers by address, as /api/info has them."""
    return {peer["address"]: peer for peer in json.loads(page(haystack, "/api/info"))["peers"]}


def test_each_shows_how_the_others_are_doing(both: tuple[Haystack, Haystack]) -> None:
    one, other = both
    until(lambda: all(peer["up"] for peer in told(one).values()), PATIENCE, lambda: f"{told(one)}")
    before = told(one)
    assert before.keys() == set(ADDRESSES)
    named = {host("web"), "haystack", "ns.haystack"}  # what is answered with Haystack's own address
    assert {peer["names"] for peer in before.values()} == {len(named)}
    other.stop()
    until(lambda: not told(one)[ADDRESSES[1]]["up"], PATIENCE, lambda: f"{told(one)}")
    lost = told(one)[ADDRESSES[1]]
    assert (lost["names"], lost["last_error"]) == (0, "does not accept")
    assert lost["since"] > before[ADDRESSES[1]]["since"]
    figures = dict(line.rsplit(" ", 1) for line in page(one, "/metrics").decode().splitlines() if line[:1] != "#")
    assert float(figures[f'haystack_peer_up{{peer="{lost["name"]}"}}']) == 0.0
    answered = float(figures[f'haystack_peer_answered_seconds{{peer="{lost["name"]}"}}'])
    assert before[ADDRESSES[1]]["since"] <= answered <= lost["since"]

"""Via: each request tells whom it has passed, and one that comes round is seen (RFC 9110, section 7.6.3; RFC 5842, section 7.2)."""

from __future__ import annotations

import asyncio
import re

import pytest

from tests.fakes.client import Client
from tests.fakes.normal import Normal, requests
from tests.fakes.origin import Call, Loop, Origin, respond
from tests.fakes.worker import Haystack, Member, Site, host

OWN = re.compile(rb"1\.[01] haystack-[0-9a-f]{16}")


def last(origin: Origin) -> Normal:
    return list(requests(bytes(origin.wire[-1])))[-1]


def via(site: Site, name: str, origin: Origin, fields: bytes = b"", version: str = "1.1") -> list[bytes]:
    with site.client() as client:
        assert client.send(f"GET / HTTP/{version}\r\nHost: {name}\r\n".encode() + fields + b"\r\n").response().status == 200
    return last(origin).all(b"via")


def test_each_request_tells_that_it_passed(site: Site) -> None:
    """Section 7.6.3: the version that was received, and a pseudonym; always the same one for the same service."""
    name, origin = site.one()
    (first,), (second,), (old,) = via(site, name, origin), via(site, name, origin), via(site, name, origin, version="1.0")
    assert OWN.fullmatch(first)
    assert first == second
    assert old == first.replace(b"1.1 ", b"1.0 ", 1)


def test_it_stands_behind_those_before_it(site: Site) -> None:
    """Section 7.6.3: in the order of the way; nobody else's entry is changed, not even by Connection."""
    name, origin = site.one()
    seen = via(site, name, origin, b"Via: 1.0 fred, 1.1 p.example.net\r\nvia: 1.1 haystack-0123456789abcdef (a, b)\r\nConnection: via\r\n")
    assert seen[:2] == [b"1.0 fred, 1.1 p.example.net", b"1.1 haystack-0123456789abcdef (a, b)"]
    assert OWN.fullmatch(seen[2])


def test_a_response_tells_nothing_of_the_way(site: Site) -> None:
    """Section 7.6.3: a gateway may leave it out of responses; what the origin's side put there stays."""
    name, origin = site.one()
    with site.client() as client:
        assert client.get(name).get("via") is None
        origin.script = respond(b"HTTP/1.1 200 OK\r\nVia: 1.1 inner\r\nContent-Length: 2\r\n\r\nok")
        assert client.get(name).all("via") == ["1.1 inner"]


def rounds(site: Site) -> tuple[str, Origin]:
    """A service that asks Haystack for itself: what a proxy does whose upstream is its own name."""

    async def again(call: Call) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
        writer.write(call.request.head)
        head = await reader.readuntil(b"\r\n\r\n")
        size = int(re.search(rb"content-length: (\d+)", head.lower()).group(1))  # type: ignore[union-attr]
        await call.send(head + await reader.readexactly(size))
        writer.close()

    return site.one(again)


def test_a_request_that_comes_round_is_508(site: Site) -> None:
    """RFC 5842, section 7.2, and RFC 9209, section 2.3.25: at its second coming, not when every connection is taken."""
    name, origin = rounds(site)
    with site.client() as client:
        response = client.get(name)
        assert (response.status, response.reason) == (508, "Loop Detected")
        assert "error=proxy_loop_detected" in (response.get("proxy-status") or "")
        assert client.get(name).status == 508, "the connection is in order"
    assert len(origin.requests) == 2


@pytest.mark.parametrize("form", [b"Via: %b\r\n", b"Via: 1.1 a, %b\r\n", b"Via: %b (of, old), 1.1 b\r\n", b"Via: 1.1 a\r\nvia:%b\r\n"])
def test_it_is_known_wherever_it_stands(site: Site, form: bytes) -> None:
    """Section 7.6.3: others stand before and behind it, in the same field or in their own."""
    name, origin = site.one()
    (own,) = via(site, name, origin)
    with site.client() as client:
        assert client.get(name, extra=form % own).status == 508


@pytest.mark.parametrize("form", [b"Via: %b0\r\n", b"Via: 1.1 x%b\r\n", b"X-Via: 1.1 %b\r\n", b"Via: 1.1 haystack-0000000000000000\r\n"])
def test_another_one_s_is_no_loop(site: Site, form: bytes) -> None:
    """Two Haystacks in a row have two pseudonyms."""
    name, origin = site.one()
    (own,) = via(site, name, origin)
    with site.client() as client:
        assert client.get(name, extra=form.replace(b"%b", own.split()[1])).status == 200


def test_a_service_may_ask_for_another_one(site: Site) -> None:
    """A gateway in a container sends Via on, as nginx does: twice through this Haystack, and no loop."""
    inner, origin = site.one()

    async def gateway(call: Call) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
        writer.write(re.sub(rb"Host: [^\r]+", b"Host: " + inner.encode(), call.request.head, count=1))
        await call.send(await reader.readuntil(b"\r\n\r\n") + await reader.readexactly(2))
        writer.close()

    outer, _ = site.one(gateway)
    with site.client() as client:
        assert client.get(outer).status == 200
    first, second = last(origin).all(b"via")
    assert OWN.fullmatch(first)
    assert OWN.fullmatch(second)
    assert first != second


def test_two_haystacks_in_a_row_are_no_loop(fakes: Loop, origin: Origin) -> None:
    """They call the service by the same name, and are still two; their workers are one, and so is who replaces one."""
    members = [Member("app", origin.port)]
    with Haystack(members, HAYSTACK_WORKERS="2") as inner:
        with Haystack([Member("app", inner.port)]) as outer:
            for _ in range(8):
                with Client(outer.port) as client:
                    assert client.get(host("app")).status == 200
        chain = last(origin).all(b"via")
        assert len(chain) == len(set(chain)) == 2
        assert {each.all(b"via")[1] for wire in origin.wire for each in requests(bytes(wire))} == {chain[1]}
        with Haystack(members, instead_of=inner) as after:
            inner.ended()
            with Client(after.port) as client:
                assert client.get(host("app"), extra=b"Via: " + chain[1] + b"\r\n").status == 508

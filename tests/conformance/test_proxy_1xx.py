"""Informational responses: passed on in their order, to who understands them, within bounds (RFC 9110, section 15.2)."""

from __future__ import annotations

import pytest

from tests.fakes.origin import OK, Call, Origin, inform, pieces, respond, respond_and_close
from tests.fakes.worker import Site, resident

HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n"
ALL = [b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 102 Processing\r\n\r\n", HINTS, HINTS, b"HTTP/1.1 199 Own\r\nX: y\r\n\r\n"]


@pytest.fixture(scope="module")
def informing(site: Site) -> tuple[str, Origin]:
    return site.one()


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_all_of_them_pass_in_order(site: Site, informing: tuple[str, Origin], method: str) -> None:
    """Section 15.2: a proxy must forward 1xx responses, expected or not, before the final one."""
    name, origin = informing
    origin.script = inform(*ALL, final=b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + (b"" if method == "HEAD" else b"ok"))
    with site.client() as client:
        for _ in range(2):
            response = client.get(name, method=method)
            assert [each.status for each in response.interim] == [100, 102, 103, 103, 199]
            assert response.interim[2].all("link") == ["</a.css>; rel=preload"]
            assert response.status == 200
    assert origin.connections == 1


def test_one_comes_down_before_the_final_one_is_made(site: Site, informing: tuple[str, Origin]) -> None:
    """RFC 8297, section 2: early is what they are for."""
    name, origin = informing

    async def early(call: Call) -> None:
        await call.send(HINTS)
        await respond(OK)(call)

    origin.script = early
    with site.client() as client:
        client.send(f"POST / HTTP/1.1\r\nHost: {name}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        assert client._until(b"\r\n\r\n") == HINTS[:-4]
        assert client.send(b"4\r\nbody\r\n0\r\n\r\n").response().status == 200


def test_in_single_bytes(site: Site, informing: tuple[str, Origin]) -> None:
    """RFC 9112, section 2.1: however it is cut."""
    name, origin = informing
    origin.script = pieces(*(bytes([b]) for b in b"".join(ALL) + OK), gap=0)
    with site.client() as client:
        response = client.get(name)
    assert (response.status, [each.status for each in response.interim]) == (200, [100, 102, 103, 103, 199])


def test_its_framing_and_hop_by_hop_fields_mean_nothing_and_go_no_further(site: Site, informing: tuple[str, Origin]) -> None:
    """RFC 9112, section 6.3, rule 1: no 1xx has a body; RFC 9110, section 7.6.1."""
    name, origin = informing
    odd = b"HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\nConnection: x-a, close\r\nX-A: 1\r\nKeep-Alive: 1\r\nX-B: 2\r\n\r\n"
    origin.script = inform(odd, odd.replace(b"Content-Length: 5", b"Transfer-Encoding: chunked"))
    with site.client() as client:
        response = client.get(name)
        assert (response.body, len(response.interim)) == (b"ok", 2)
        for each in response.interim:
            assert each.fields == [("X-B", "2")]
        assert client.get(name).status == 200, "a close on a 1xx is not the exchange's: nothing ends"


def test_never_to_http_1_0(site: Site, informing: tuple[str, Origin]) -> None:
    """Section 15.2: a server must not send a 1xx response to an HTTP/1.0 client."""
    name, origin = informing
    origin.script = inform(*ALL)
    with site.client() as client:
        for end in ("Connection: keep-alive\r\n\r\n", "\r\n"):
            client.send(f"GET / HTTP/1.0\r\nHost: {name}\r\n{end}".encode())
            response = client.response()
            assert (response.status, response.interim, response.body) == (200, [], b"ok")


@pytest.mark.parametrize("interim", [b"", HINTS])
def test_101_that_nobody_asked_for_is_502(site: Site, informing: tuple[str, Origin], interim: bytes) -> None:
    """Section 15.2.2 and 7.8: a server must not switch to a protocol that the client did not name; nothing of it goes down."""
    name, origin = informing
    origin.script = respond(interim + b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nraw bytes")
    connections = origin.connections
    with site.client() as client:
        response = client.get(name)
        assert response.status == 502
        assert response.get("proxy-status")
        assert b"raw" not in response.body
        origin.script = respond()
        assert client.get(name).body == b"ok"
    assert origin.connections <= connections + 2


BAD = {
    "obs-fold": b"HTTP/1.1 103 Early Hints\r\nX: a\r\n b\r\n\r\n",
    "both framings": b"HTTP/1.1 103 Early Hints\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    "bare CR": b"HTTP/1.1 103 Early Hints\r\nX: a\rb\r\n\r\n",
    "70 KB": b"HTTP/1.1 103 Early Hints\r\nX: " + b"a" * 70_000 + b"\r\n\r\n",
}


@pytest.mark.parametrize("interim", BAD.values(), ids=BAD.keys())
def test_a_bad_one_is_502(site: Site, informing: tuple[str, Origin], interim: bytes) -> None:
    """RFC 9112, sections 2.2, 5.2 and 6.3: the same strictness as for any other head."""
    name, origin = informing
    origin.script = inform(HINTS, interim)
    with site.client() as client:
        response = client.get(name)
        assert (response.status, len(response.interim)) == (502, 1)


def test_a_flood_is_bounded(site: Site, informing: tuple[str, Origin]) -> None:
    """Section 15.2 sets no number; a response that never becomes final is broken off before it costs more than a head may."""
    name, origin = informing

    async def flood(call: Call) -> None:
        for _ in range(200):
            await call.send(HINTS * 100)
        await call.send(OK)

    origin.script = flood
    (worker,) = site.haystack.workers()
    before = resident(worker)
    with site.client() as client:
        response = client.get(name)
        assert response.status == 502
        assert "http_protocol_error" in (response.get("proxy-status") or "")
        assert len(response.interim) < 1000
    assert resident(worker) - before < 4_000_000


def test_an_end_behind_it_is_502_and_never_tried_again(site: Site) -> None:
    """Design rule 4: never once a response byte went down; RFC 9110, section 15.6.3."""
    name, origins = site.pair(respond_and_close(HINTS), respond_and_close(HINTS))
    with site.client() as client:
        response = client.get(name)
        assert (response.status, len(response.interim)) == (502, 1)
        assert response.get("proxy-status")
    assert sum(len(origin.requests) for origin in origins) == 1

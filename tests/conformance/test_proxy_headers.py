"""Fields on the way through: removed, set, believed or left alone (RFC 9110, section 7.6)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fakes.client import Client
from tests.fakes.origin import Loop, Origin, Request, respond
from tests.fakes.worker import Haystack, Member, Site, host

CLAIMS = b"X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: claimed.example\r\nX-Forwarded-Port: 444\r\n"


def seen(site: Site, extra: bytes = b"") -> tuple[str, Request]:
    """Host and the request as the origin saw it."""
    name, origin = site.one()
    with site.client() as client:
        assert client.get(name, extra=extra).status == 200
    return name, origin.requests[0]


@pytest.mark.parametrize("field", ["Keep-Alive", "Proxy-Connection", "TE", "Upgrade", "X-Private", "x-other"])
def test_hop_by_hop_fields_of_the_request_go_no_further(site: Site, field: str) -> None:
    """RFC 9110, section 7.6.1: the known ones, and whatever Connection lists."""
    listed = b"Connection: X-Private, X-Other\r\nConnection: keep-alive\r\n"
    _, request = seen(site, listed + field.encode() + b": timeout=5\r\nX-Kept: yes\r\n")
    assert request.fields(field) == []
    assert request.fields("x-kept") == ["yes"]
    assert not any("private" in value.lower() for value in request.fields("connection"))


@pytest.mark.parametrize("field", ["Keep-Alive", "Proxy-Connection", "X-Private"])
def test_hop_by_hop_fields_of_the_response_go_no_further(site: Site, field: str) -> None:
    """RFC 9110, section 7.6.1."""
    answer = b"HTTP/1.1 200 OK\r\nConnection: keep-alive, x-private\r\n%b: 1\r\nX-Kept: yes\r\nContent-Length: 0\r\n\r\n"
    name, _ = site.one(respond(answer % field.encode()))
    with site.client() as client:
        response = client.get(name)
    assert response.get(field) is None
    assert response.get("x-kept") == "yes"


def test_connection_can_not_remove_what_the_proxy_sets(site: Site) -> None:
    """RFC 9110, section 7.6.1: end-to-end fields such as Host are no connection options to obey."""
    name, request = seen(site, b"Connection: Host, X-Forwarded-For, X-Request-Id\r\n")
    assert request.fields("host") == [name]
    assert request.fields("x-forwarded-for") == ["127.0.0.1"]
    assert len(request.fields("x-request-id")) == 1


def test_end_to_end_fields_pass_unchanged_and_in_order(site: Site) -> None:
    """RFC 9110, sections 5.3 and 7.7: order of same-named fields is kept, values untouched."""
    _, request = seen(site, b"Accept: a/b\r\nCookie: x=1\r\nAccept: c/d;q=0.5\r\nX-Bytes: \xe9\t.\r\nX-Empty:\r\n")
    assert request.fields("accept") == ["a/b", "c/d;q=0.5"]
    assert request.fields("x-bytes") == ["\xe9\t."]
    assert request.fields("x-empty") == [""]


def test_response_fields_pass_unchanged_and_in_order(site: Site) -> None:
    """RFC 9110, section 5.3: Set-Cookie lines must not be combined."""
    name, _ = site.one(respond(b"HTTP/1.1 200 Fine\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nServer: o\r\nContent-Length: 0\r\n\r\n"))
    with site.client() as client:
        response = client.get(name)
    assert response.all("set-cookie") == ["a=1", "b=2"]
    assert (response.reason, response.all("server")) == ("Fine", ["o"])


@pytest.mark.parametrize("spelling", ["{}", "{}:8000", "{}."])
def test_host_goes_upstream_unchanged(site: Site, spelling: str) -> None:
    """RFC 9110, section 7.2: a gateway that does not need to change Host leaves it as the client wrote it."""
    name, origin = site.one()
    written = spelling.format(name.title())
    with site.client() as client:
        client.get(written)
    assert origin.requests[0].fields("host") == [written]


def test_forwarding_fields_are_set(site: Site) -> None:
    """The de-facto forms of RFC 7239, section 1; RFC 9110, section 7.6 allows a proxy to add fields."""
    name, request = seen(site)
    assert request.fields("x-forwarded-for") == ["127.0.0.1"]
    assert request.fields("x-forwarded-proto") == ["http"]
    assert request.fields("x-forwarded-host") == [name]
    assert request.fields("x-forwarded-port") == [str(site.port)]


def test_forwarding_fields_of_a_stranger_are_not_believed(site: Site) -> None:
    """RFC 7239, section 8.1: anyone can claim anything; product: no HAYSTACK_TRUSTED_PROXIES, nobody is believed."""
    name, request = seen(site, CLAIMS)
    assert request.fields("x-forwarded-for") == ["127.0.0.1"]
    assert request.fields("x-forwarded-proto") == ["http"]
    assert request.fields("x-forwarded-host") == [name]
    assert request.fields("x-forwarded-port") == [str(site.port)]


@pytest.fixture(scope="module")
def trusting(fakes: Loop) -> Iterator[tuple[Haystack, Origin]]:
    """A Haystack that believes 127.0.0.0/8, with one service `believed`."""
    origin = Origin(fakes, respond()).start()
    with Haystack([Member("believed", origin.port)], HAYSTACK_TRUSTED_PROXIES="127.0.0.0/8", HAYSTACK_ALLOW="any") as haystack:
        yield haystack, origin
    origin.stop()


def test_forwarding_fields_of_a_trusted_proxy_are_believed(trusting: tuple[Haystack, Origin]) -> None:
    """RFC 7239, section 5.2: each proxy appends the address it was asked from."""
    haystack, origin = trusting
    with Client(haystack.port) as client:
        assert client.get(host("believed"), extra=CLAIMS).status == 200
    request = origin.requests[-1]
    hops = [hop.strip() for value in request.fields("x-forwarded-for") for hop in value.split(",")]
    assert hops == ["192.0.2.1", "127.0.0.1"]
    assert request.fields("x-forwarded-proto") == ["https"]
    assert request.fields("x-forwarded-host") == ["claimed.example"]
    assert request.fields("x-forwarded-port") == ["444"]


def test_trusted_proxy_that_says_nothing_gets_the_plain_fields(trusting: tuple[Haystack, Origin]) -> None:
    """RFC 9110, section 7.6."""
    haystack, origin = trusting
    with Client(haystack.port) as client:
        assert client.get(host("believed")).status == 200
    assert origin.requests[-1].fields("x-forwarded-for") == ["127.0.0.1"]
    assert origin.requests[-1].fields("x-forwarded-proto") == ["http"]


def test_request_id_is_made_where_absent(site: Site) -> None:
    """Product; RFC 9110, section 7.6. Two requests have two."""
    first, second = (seen(site)[1].fields("x-request-id") for _ in range(2))
    assert len(first) == len(second) == 1
    assert first[0]
    assert first != second


def test_request_id_is_kept_where_present(site: Site) -> None:
    """Product; RFC 9110, section 7.6."""
    assert seen(site, b"x-request-id: mine-1\r\n")[1].fields("x-request-id") == ["mine-1"]

"""What a client says of who it is, where it came from and what it asked for: dropped, unless it is trusted (RFC 7239, section 8.1)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fakes.client import Client
from tests.fakes.normal import Normal, requests
from tests.fakes.origin import Loop, Origin, respond
from tests.fakes.worker import Haystack, Member, Site, host

# by whom they are set: proxies of every kind, and those that sell one
CLAIMS = [
    "Forwarded",
    "X-Forwarded-Prefix",
    "X-Forwarded-Ssl",
    "X-Forwarded-Scheme",
    "X-Forwarded-Server",
    "X-Forwarded-User",
    "X-Forwarded-Client-Cert",
    "X-Forwarded-Tls-Client-Cert-Info",
    "X-Forwarded-Anything-That-Is-Yet-To-Be-Invented",
    "True-Client-IP",
    "Client-IP",
    "X-Client-IP",
    "X-Cluster-Client-IP",
    "X-Remote-IP",
    "X-Remote-Addr",
    "X-ProxyUser-Ip",
    "CF-Connecting-IP",
    "CF-Connecting-IPv6",
    "Fastly-Client-IP",
    "X-Azure-ClientIP",
    "X-Envoy-External-Address",
    "X-Original-Forwarded-For",
    "X-Original-URL",
    "X-Original-URI",
    "X-Original-Host",
    "X-Rewrite-URL",
    "X-Scheme",
    "X-Url-Scheme",
    "Front-End-Https",
    "Client-Cert",
    "Client-Cert-Chain",
    "X-Client-Cert",
    "X-SSL-Client-Cert",
    "Forwarded-For",
    "X-Originating-IP",
    "X-HTTP-Host-Override",
    "X-Client-Verify",
    "X-Client-DN",
    "SSL-Client-Verify",
    "SSL-Client-Subject-DN",
    "X-SSL-Client-Verify",
    "X-SSL-Client-S-DN",
    "X-SSL-Client-CN",
]
ALWAYS_OURS = ["X-Real-IP", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Proto"]
NOT_ONES = ["X-Real", "X-Forwarded", "Proxying", "X-Original-Filename", "X-Rewrite", "Client", "X-Client-Version", "Via-Nothing"]


def last(origin: Origin) -> Normal:
    return list(requests(bytes(origin.wire[-1])))[-1]


@pytest.fixture(scope="module")
def plain(site: Site) -> tuple[str, Origin]:
    return site.one()


def sent(site: Site, plain: tuple[str, Origin], fields: bytes) -> Normal:
    name, origin = plain
    with site.client() as client:
        assert client.get(name, extra=fields).status == 200
    return last(origin)


@pytest.mark.parametrize("field", [*CLAIMS, "Proxy"])
def test_what_a_stranger_says_of_itself_goes_no_further(site: Site, plain: tuple[str, Origin], field: str) -> None:
    """In any case, however often, and whether it is empty or not."""
    fields = f"{field}: 203.0.113.7\r\nX-Kept: yes\r\n{field.upper()}: /admin\r\n{field.lower()}:\r\n".encode()
    seen = sent(site, plain, fields)
    assert seen.all(field.lower().encode()) == []
    assert seen.all(b"x-kept") == [b"yes"]


@pytest.mark.parametrize("field", [*(f for f in CLAIMS if "-" in f), *ALWAYS_OURS])
@pytest.mark.parametrize("mark", ["_", "."])
def test_a_claim_of_a_stranger_does_not_go_up_in_another_spelling(site: Site, plain: tuple[str, Origin], field: str, mark: str) -> None:
    """CGI (RFC 3875, section 4.1.18) makes one variable of X-Real-IP and X_Real_IP; some servers of every mark."""
    once = field.replace("-", mark, 1)
    seen = sent(site, plain, f"{once}: 1\r\n{field.replace('-', mark)}: 2\r\n".encode())
    assert [
        each for each in seen.fields if each[0].replace(mark.encode(), b"-") == field.lower().encode() and mark.encode() in each[0]
    ] == []


@pytest.mark.parametrize("field", NOT_ONES)
def test_fields_that_only_look_like_it_pass(site: Site, plain: tuple[str, Origin], field: str) -> None:
    """RFC 9110, section 5.1: what a proxy does not know it sends on."""
    other = field.replace("-", "_")
    seen = sent(site, plain, f"{field}: a\r\n".encode() + (f"{other}: b\r\n".encode() if other != field else b""))
    assert seen.all(field.lower().encode()) == [b"a"]
    assert other == field or seen.all(other.lower().encode()) == [b"b"]


def test_the_clients_address_is_told_once(site: Site, plain: tuple[str, Origin]) -> None:
    """X-Real-IP, as nginx's users know it: whatever the client says, its own address."""
    for fields in (b"", b"X-Real-IP: 203.0.113.7\r\n", b"x-real-ip: a\r\nX-REAL-IP: b\r\n", b"Connection: X-Real-IP\r\n"):
        assert sent(site, plain, fields).all(b"x-real-ip") == [b"127.0.0.1"]


def test_responses_say_of_themselves_what_they_will(site: Site, plain: tuple[str, Origin]) -> None:
    """What an origin sends is its own; nobody claims an identity by a response."""
    name, origin = plain
    origin.script = respond(b"HTTP/1.1 200 OK\r\nX-Real-IP: 1\r\nX-Original-URL: 2\r\nX-Forwarded-For: 3\r\nContent-Length: 2\r\n\r\nok")
    with site.client() as client:
        response = client.get(name)
    assert [response.get(each) for each in ("x-real-ip", "x-original-url", "x-forwarded-for")] == ["1", "2", "3"]
    origin.script = respond()


@pytest.fixture(scope="module")
def trusting(fakes: Loop) -> Iterator[tuple[Haystack, Origin]]:
    """A Haystack that believes 127.0.0.0/8 and two networks of proxies, with one service `believed`."""
    origin = Origin(fakes, respond()).start()
    trusted = "127.0.0.0/8,10.0.0.0/8,fd00::/8"
    with Haystack([Member("believed", origin.port)], HAYSTACK_TRUSTED_PROXIES=trusted, HAYSTACK_ALLOW="any") as haystack:
        yield haystack, origin
    origin.stop()


def believed(trusting: tuple[Haystack, Origin], fields: bytes) -> Normal:
    haystack, origin = trusting
    with Client(haystack.port) as client:
        assert client.get(host("believed"), extra=fields).status == 200
    return last(origin)


@pytest.mark.parametrize("field", CLAIMS)
def test_what_a_trusted_proxy_says_passes(trusting: tuple[Haystack, Origin], field: str) -> None:
    """It stands where the client can be seen; what it adds is meant for who is behind."""
    assert believed(trusting, f"{field}: 203.0.113.7\r\n".encode()).all(field.lower().encode()) == [b"203.0.113.7"]


@pytest.mark.parametrize("field", ["Proxy", "X_Real_IP", "X_Forwarded_For", "X_Forwarded_Prefix", "HTTP2-Settings"])
def test_not_even_a_trusted_proxy_is_passed_these(trusting: tuple[Haystack, Origin], field: str) -> None:
    """httpoxy (CVE-2016-5385): CGI makes HTTP_PROXY of it, and no proxy has a use for it; a proxy sends on what it does not know."""
    assert believed(trusting, f"{field}: 203.0.113.7\r\n".encode()).all(field.lower().encode()) == []


REAL = {
    "nothing": (b"", b"127.0.0.1"),
    "its X-Real-IP": (b"X-Real-IP: 203.0.113.7\r\n", b"203.0.113.7"),
    "an X-Real-IP that is none": (b"X-Real-IP: me\r\n", b"127.0.0.1"),
    "two of them": (b"X-Real-IP: 203.0.113.7\r\nX-Real-IP: 203.0.113.8\r\n", b"127.0.0.1"),
    "one address": (b"X-Forwarded-For: 203.0.113.7\r\n", b"203.0.113.7"),
    "what the client invented, and the client": (b"X-Forwarded-For: 198.51.100.1, 203.0.113.7\r\n", b"203.0.113.7"),
    "the client and another proxy": (b"X-Forwarded-For: 198.51.100.1 ,203.0.113.7,10.1.2.3\r\n", b"203.0.113.7"),
    "in two fields": (b"X-Forwarded-For: 198.51.100.1, 203.0.113.7\r\nX-Forwarded-For: 10.1.2.3\r\n", b"203.0.113.7"),
    "only proxies": (b"X-Forwarded-For: 10.0.0.1, 10.0.0.2\r\n", b"10.0.0.1"),
    "no address before a proxy": (b"X-Forwarded-For: 203.0.113.7, unknown, 10.0.0.2\r\n", b"10.0.0.2"),
    "with a port": (b"X-Forwarded-For: 203.0.113.7:4711\r\n", b"203.0.113.7"),
    "of IPv6": (b"X-Forwarded-For: 2001:db8::7, fd00::1\r\n", b"2001:db8::7"),
    "of IPv6 with a port": (b"X-Forwarded-For: [2001:db8::7]:4711\r\n", b"2001:db8::7"),
    "both, and X-Forwarded-For counts": (b"X-Real-IP: 198.51.100.1\r\nX-Forwarded-For: 203.0.113.7\r\n", b"203.0.113.7"),
    "empty ones": (b"X-Forwarded-For: , ,\r\n", b"127.0.0.1"),
}


@pytest.mark.parametrize(("fields", "real"), REAL.values(), ids=REAL.keys())
def test_the_client_that_a_trusted_proxy_tells_of(trusting: tuple[Haystack, Origin], fields: bytes, real: bytes) -> None:
    """From the right, the first address that is no trusted proxy's: what stands before it the client may have made up."""
    assert believed(trusting, fields).all(b"x-real-ip") == [real]

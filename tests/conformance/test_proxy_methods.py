"""The request line: every method goes on as it came, and the target in its four forms (RFC 9110, section 9; RFC 9112, section 3)."""

from __future__ import annotations

import pytest

from tests.fakes.origin import Call, Origin, respond
from tests.fakes.worker import Site

METHODS = ["GET", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "PROPFIND", "FOO", "get", "Post", "!#$%&'*+-.^_`|~", "M" * 32]


@pytest.fixture(scope="module")
def told(site: Site) -> tuple[str, Origin]:
    """One service for the whole file: each test looks at the last request."""
    return site.one()


@pytest.mark.parametrize("body", [None, b"", b"body"], ids=["no body", "empty", "four bytes"])
@pytest.mark.parametrize("method", METHODS)
def test_every_method_goes_on_as_it_came(site: Site, told: tuple[str, Origin], method: str, body: bytes | None) -> None:
    """RFC 9110, section 9.1: a token, case-sensitive, of an open set; section 6.4: any method may have content."""
    host, origin = told
    length = b"" if body is None else b"Content-Length: %d\r\n" % len(body)
    with site.client() as client:
        for _ in range(2):
            client.send(f"{method} /x HTTP/1.1\r\nHost: {host}\r\n".encode() + length + b"\r\n" + (body or b""))
            assert client.response().body == b"ok"
    assert origin.requests[-1].line == f"{method} /x HTTP/1.1"
    assert origin.requests[-1].body == (body or b"")
    assert origin.requests[-1].fields("content-length") == ([] if body is None else [str(len(body))])


def test_a_method_longer_than_any_is_501(site: Site, told: tuple[str, Origin]) -> None:
    """RFC 9112, section 3: a method longer than any that the server implements; 400 serves too."""
    with site.client() as client:
        assert client.get(told[0], method="M" * 4000).status in (400, 501)


ABSOLUTE = {
    "http://{}/a?b=c": "/a?b=c",
    "HTTP://{}/": "/",
    "http://{}": "/",
    "http://{}?q": "/?q",
    "http://{}:80/p": "/p",
    "http://{}//x": "//x",
}


@pytest.mark.parametrize(("target", "seen"), ABSOLUTE.items())
def test_absolute_form_becomes_origin_form(site: Site, told: tuple[str, Origin], target: str, seen: str) -> None:
    """RFC 9112, sections 3.2.1 and 3.2.2: an empty path is `/`, and Host is made from the target."""
    host, origin = told
    with site.client() as client:
        assert client.get("localhost", target.format(host)).status == 200
    assert origin.requests[-1].line == f"GET {seen} HTTP/1.1"
    (field,) = origin.requests[-1].fields("host")
    assert field.removesuffix(":80") == host


@pytest.mark.parametrize("target", ["x", "x/y", "?q", "ftp://{}/", "{}", "{}:80", "//", "\\x", "**", "*?"])
def test_target_in_no_form_is_refused_or_sent_as_a_path(site: Site, told: tuple[str, Origin], target: str) -> None:
    """RFC 9112, section 3.2: 400, unless it begins as an origin-form does."""
    with site.client() as client:
        status = client.get(told[0], target.format(told[0])).status
    assert status in ((200, 400) if target.startswith("/") else (400, 421, 501))


@pytest.mark.parametrize("target", ["/a#b", "/#", "#", "/a?b#c", "http://{}/#a", "http://{}#a"])
def test_a_fragment_is_400(site: Site, told: tuple[str, Origin], target: str) -> None:
    """RFC 9112, section 3.2: none of the four forms has one; readers differ on where the path of such a target ends."""
    before = len(told[1].requests)
    with site.client() as client:
        assert client.get(told[0], target.format(told[0])).status == 400
    assert len(told[1].requests) == before


def test_options_asterisk_goes_on_as_it_came(site: Site, told: tuple[str, Origin]) -> None:
    """RFC 9112, section 3.2.4; RFC 9110, section 9.3.7."""
    host, origin = told
    with site.client() as client:
        assert client.get(host, "*", method="OPTIONS").status == 200
    assert origin.requests[-1].line == "OPTIONS * HTTP/1.1"


VERSIONS = {"HTTP/1.2": 200, "HTTP/1.9": 200, "HTTP/2.0": 505, "HTTP/0.9": 505, "HTTP/3.0": 505, "HTTP/1.10": 400, "HTTP/01.1": 400}


@pytest.mark.parametrize(("version", "status"), (VERSIONS | {"http/1.1": 400, "HTTP/1": 400, "HTTP 1.1": 400, "ICY/1.1": 400}).items())
def test_versions(site: Site, told: tuple[str, Origin], version: str, status: int) -> None:
    """RFC 9112, section 2.3: case-sensitive, one digit each; a higher minor is 1.1 (RFC 9110, section 2.5), another major 505."""
    host, origin = told
    with site.client() as client:
        response = client.send(f"GET / {version}\r\nHost: {host}\r\n\r\n".encode()).response()
        assert response.status == status
        assert response.version == "HTTP/1.1"
    if status == 200:
        assert origin.requests[-1].line == "GET / HTTP/1.1", "a proxy sends its own version (RFC 9110, section 2.5)"


def test_the_body_of_an_answer_to_trace_passes(site: Site) -> None:
    """RFC 9110, section 9.3.8: the head that the origin was sent comes back untouched."""

    async def mirror(call: Call) -> None:
        await respond(b"HTTP/1.1 200 OK\r\nContent-Type: message/http\r\nContent-Length: %d\r\n\r\n%b" % (len(h := call.request.head), h))(
            call
        )

    host, origin = site.one(mirror)
    with site.client() as client:
        assert client.get(host, method="TRACE").body == origin.requests[0].head


def test_a_method_is_head_in_capitals_only(site: Site) -> None:
    """RFC 9110, section 9.1: methods are case-sensitive, so the answer to `head` has content (RFC 9112, section 6.3)."""
    host, _ = site.one()
    with site.client() as client:
        for method in ("head", "Head", "HEAD"):
            assert client.get(host, method=method).body == (b"" if method == "HEAD" else b"ok")


@pytest.mark.parametrize(
    "target", ["example.com:443", "{}:80", "{}", "/", "*", "http://{}/", "example.com:", ":80"], ids=lambda t: t.replace("{}", "HOST")
)
def test_connect_is_refused_whatever_its_target(site: Site, told: tuple[str, Origin], target: str) -> None:
    """RFC 9110, section 9.3.6; 9112, section 6.3, rule 2: 2xx to CONNECT is a tunnel, so the origin must never see it."""
    host, origin = told
    before = len(origin.requests)
    with site.client() as client:
        response = client.get(host, target.format(host), method="CONNECT")
        assert response.status in (400, 405, 501)
        assert response.get("proxy-status")
        assert client.closed()
    with site.client() as client:
        assert client.get(host).status == 200
    assert len(origin.requests) == before + 1


def test_host_of_a_request_in_absolute_form_must_be_there_and_valid_too(site: Site, told: tuple[str, Origin]) -> None:
    """RFC 9112, section 3.2: 400 to any HTTP/1.1 request without Host, with two, or with an invalid one."""
    line = f"GET http://{told[0]}/ HTTP/1.1\r\n".encode()
    one = f"Host: {told[0]}\r\n".encode()
    for fields in (b"", one + one, b"Host: a b\r\n", b"Host: a/b\r\n", b"Host: a@b\r\n", one + b"Host: x\r\n"):
        with site.client() as client:
            assert client.send(line + fields + b"\r\n").response().status == 400, fields


@pytest.mark.parametrize("target", ["http:///x", "http://", "http://user@{}/", "http://user:pass@{}/", "http://{}:x/", "http://:80/"])
def test_absolute_form_with_no_or_a_doubtful_authority_is_400(site: Site, told: tuple[str, Origin], target: str) -> None:
    """RFC 9110, sections 4.2.1 and 4.2.4: an empty host is invalid; userinfo is likely there to mislead."""
    with site.client() as client:
        assert client.get(told[0], target.format(told[0])).status == 400


def test_options_in_absolute_form_without_path_is_asterisk(site: Site, told: tuple[str, Origin]) -> None:
    """RFC 9112, section 3.2.4: the last proxy must send `*` where path and query are empty."""
    host, origin = told
    with site.client() as client:
        for target, seen in ((f"http://{host}", "*"), (f"http://{host}:80", "*"), (f"http://{host}/", "/"), (f"http://{host}?q", "/?q")):
            assert client.get(host, target, method="OPTIONS").status == 200
            assert origin.requests[-1].line == f"OPTIONS {seen} HTTP/1.1"


@pytest.mark.parametrize("method", ["GET", "POST", "FOO", "options"])
def test_asterisk_is_for_options_alone(site: Site, told: tuple[str, Origin], method: str) -> None:
    """RFC 9112, section 3.2.4: only for a server-wide OPTIONS, so with any other method the line is invalid (section 3.2)."""
    with site.client() as client:
        assert client.get(told[0], "*", method=method).status == 400

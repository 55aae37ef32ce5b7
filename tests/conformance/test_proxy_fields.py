"""Which fields end here, both ways: those of the connection, those it lists, and none beside (RFC 9110, sections 7.6.1 and 7.6.2)."""

from __future__ import annotations

import pytest

from tests.fakes.normal import Normal, requests
from tests.fakes.origin import Origin, respond
from tests.fakes.worker import Site

LISTS = {
    "one": b"Connection: X-Hop\r\n",
    "in another case": b"Connection: x-hOP\r\n",
    "in a list": b"Connection: a, X-Hop ,b\r\n",
    "with tabs and nothing between commas": b"Connection: ,,\tX-Hop\t,,\r\n",
    "in the second of two": b"Connection: keep-alive\r\nConnection: X-Hop\r\n",
    "behind the field itself": b"X-First: 1\r\nconnection:X-Hop\r\n",
    "beside close": b"Connection: close, X-Hop\r\n",
}
# RFC 9110, section 7.6.1, and RFC 9112, sections 6.1 and 9.6: known by name, listed or not.
REQUEST_HOPS = [
    b"Keep-Alive: 5",
    b"Proxy-Connection: keep-alive",
    b"TE: gzip",
    b"Upgrade: x",
    b"Connection: y",
    b"Proxy-Authorization: Basic x",
]
RESPONSE_HOPS = [b"Keep-Alive: 5", b"Proxy-Connection: keep-alive", b"TE: gzip", b"Connection: y", b"Upgrade: h2c"]


@pytest.fixture(scope="module")
def plain(site: Site) -> tuple[str, Origin]:
    return site.one()


def last(origin: Origin) -> Normal:
    """The newest request, as the reader that forgives nothing sees it."""
    return list(requests(bytes(origin.wire[-1])))[-1]


def sent(site: Site, plain: tuple[str, Origin], fields: bytes, method: str = "GET") -> Normal:
    name, origin = plain
    origin.script = respond()
    with site.client() as client:
        assert client.get(name, extra=fields, method=method).status == 200
    return last(origin)


@pytest.mark.parametrize("fields", LISTS.values(), ids=LISTS.keys())
def test_what_connection_lists_goes_no_further(site: Site, plain: tuple[str, Origin], fields: bytes) -> None:
    """RFC 9110, section 7.6.1: however it is written, in a request and in a response."""
    seen = sent(site, plain, b"X-Hop: 1\r\n" + fields + b"x-hop: 2\r\nX-Hope: 3\r\nX-Ho: 4\r\n")
    assert seen.all(b"x-hop") == seen.all(b"connection") == []
    assert (seen.all(b"x-hope"), seen.all(b"x-ho")) == ([b"3"], [b"4"])
    name, origin = plain
    origin.script = respond(b"HTTP/1.1 200 OK\r\nX-Hop: 1\r\n" + fields + b"x-hop: 2\r\nX-Hope: 3\r\nContent-Length: 2\r\n\r\nok")
    with site.client() as client:
        response = client.get(name)
        assert (response.get("x-hop"), response.get("connection"), response.get("x-hope")) == (None, None, "3")
        assert client.get(name).status == 200


@pytest.mark.parametrize("field", REQUEST_HOPS, ids=[each.decode() for each in REQUEST_HOPS])
def test_fields_of_the_connection_end_here(site: Site, plain: tuple[str, Origin], field: bytes) -> None:
    """RFC 9110, sections 7.6.1, 7.8, 10.1.4 and 11.7.2."""
    name = field.partition(b":")[0]
    seen = sent(site, plain, field + b"\r\n" + field.upper() + b"\r\n")
    assert seen.all(name.lower()) == []


@pytest.mark.parametrize("field", RESPONSE_HOPS, ids=[each.decode() for each in RESPONSE_HOPS])
def test_fields_of_the_origins_connection_end_here(site: Site, plain: tuple[str, Origin], field: bytes) -> None:
    """RFC 9110, section 7.6.1."""
    name, origin = plain
    origin.script = respond(b"HTTP/1.1 200 OK\r\n" + field + b"\r\n" + field.upper() + b"\r\nContent-Length: 2\r\n\r\nok")
    with site.client() as client:
        response = client.get(name)
        assert (response.body, response.get(field.partition(b":")[0].decode())) == (b"ok", None)


@pytest.mark.parametrize("name", [b"Content-Length", b"Transfer-Encoding"])
def test_connection_can_not_take_a_responses_framing_away(site: Site, plain: tuple[str, Origin], name: bytes) -> None:
    """RFC 9112, section 6.3: what frames the message is not Connection's to remove."""
    host, origin = plain
    length = b"Content-Length: 2\r\n\r\nok" if name[0] == ord("C") else b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
    origin.script = respond(b"HTTP/1.1 200 OK\r\nConnection: " + name + b"\r\n" + length)
    with site.client() as client:
        assert [client.get(host).body for _ in range(2)] == [b"ok"] * 2


def test_close_is_one_connections_matter(site: Site, plain: tuple[str, Origin]) -> None:
    """RFC 9112, section 9.6: the client's close does not close the origin's connection, nor the other way round."""
    _, origin = plain
    sent(site, plain, b"")
    connections = origin.connections
    for _ in range(3):
        assert sent(site, plain, b"Connection: close\r\n").all(b"connection") in ([], [b"keep-alive"])
    assert origin.connections == connections


VALUES = [b"", b"a", b"a\tb", b"a  b", b'"quoted, string"', b"\xc3\xa9\xff", b":x", b"a:b", b"\\", b"x" * 20_000, b"<script>", b"a, b;c=d"]


@pytest.mark.parametrize("value", VALUES, ids=[repr(each[:20]) for each in VALUES])
def test_values_pass_octet_by_octet(site: Site, plain: tuple[str, Origin], value: bytes) -> None:
    """RFC 9110, section 5.5: obs-text and all, without the blanks around them, both ways."""
    seen = sent(site, plain, b"X-Value: \t" + value + b" \t\r\nX-After: 1\r\n")
    assert (seen.all(b"x-value"), seen.all(b"x-after")) == ([value], [b"1"])
    name, origin = plain
    origin.script = respond(b"HTTP/1.1 200 OK\r\nX-Value:" + value + b"\r\nX-After: 1\r\nContent-Length: 2\r\n\r\nok")
    with site.client() as client:
        response = client.get(name)
    assert (response.all("x-value"), response.all("x-after")) == ([value.decode("latin-1")], ["1"])


def test_many_fields_keep_their_order(site: Site, plain: tuple[str, Origin]) -> None:
    """RFC 9110, section 5.3: a proxy must not change the order of values of one field."""
    lines = [(b"Cookie" if n % 3 else b"X-%d" % n, b"%d" % n) for n in range(80)]
    seen = sent(site, plain, b"".join(k + b": " + v + b"\r\n" for k, v in lines))
    names = {k.lower() for k, _ in lines}
    assert [each for each in seen.fields if each[0] in names] == [(k.lower(), v) for k, v in lines]


def test_fields_that_only_speak_of_a_path_are_left_alone(site: Site, plain: tuple[str, Origin]) -> None:
    """RFC 9110, sections 6.6.1, 7.6.3, 8 and 10: representation, control and authentication are end to end."""
    ends = [
        b"Date",
        b"Age",
        b"Server",
        b"Vary",
        b"ETag",
        b"WWW-Authenticate",
        b"Content-Encoding",
        b"Content-Type",
        b"Retry-After",
        b"Allow",
    ]
    name, origin = plain
    origin.script = respond(b"HTTP/1.1 200 OK\r\n" + b"".join(each + b": 1\r\n" for each in ends) + b"Content-Length: 2\r\n\r\nok")
    with site.client() as client:
        response = client.get(name)
    assert [response.all(each.decode()) for each in ends] == [["1"]] * len(ends)
    asked = [b"Authorization", b"Cookie", b"Range", b"If-Match", b"Accept-Encoding", b"Origin", b"Cache-Control", b"Content-Type", b"From"]
    seen = sent(site, plain, b"".join(each + b": 1\r\n" for each in asked))
    assert [seen.all(each.lower()) for each in asked] == [[b"1"]] * len(asked)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_max_forwards_of_other_methods_is_left_alone(site: Site, plain: tuple[str, Origin], method: str) -> None:
    """RFC 9110, section 7.6.2: it may be ignored with any method but TRACE and OPTIONS."""
    assert sent(site, plain, b"Max-Forwards: 0\r\n", method).all(b"max-forwards") == [b"0"]

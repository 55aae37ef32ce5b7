"""Field sections of HTTP/2 that are malformed, too long, or say odd things (RFC 9113, sections 8.1 to 8.3): what endpoints see of them."""

from __future__ import annotations

import threading
from contextlib import ExitStack

import pytest
from hyperframe.frame import ContinuationFrame, DataFrame, HeadersFrame, RstStreamFrame

from tests.fakes.h2c import WEB, house
from tests.fakes.origin import held, respond

PROTOCOL_ERROR, REFUSED = 1, 7
GET = {":method": "GET", ":scheme": "http", ":authority": WEB, ":path": "/"}


@pytest.fixture(scope="module")
def web(fakes):
    with house(fakes, HAYSTACK_MAX_HEAD="8192", HAYSTACK_MAX_HEADERS="40") as made:
        yield made


@pytest.fixture(autouse=True)
def nothing_seen(web):
    web.origin.requests.clear()


@pytest.fixture
def client(web):
    with web.rude() as made:
        yield made


def ask(client, pairs, *, end=True, data=()):
    """Send a field section as it is, and DATA frames behind it; the status, or minus the code of the reset. Others go on."""
    number = client.next
    client.next += 2
    flags = ["END_HEADERS", *(["END_STREAM"] if end else [])]
    client.send(
        HeadersFrame(number, client.encoder.encode(pairs), flags=flags), *(DataFrame(number, each, flags=marks) for each, marks in data)
    )
    return client.status(number)


def section(changes=(), *more):
    """A good one but for these."""
    return [(k, v) for k, v in (GET | dict(changes)).items() if v is not None] + list(more)


def fine(web, client):
    """The connection serves as ever."""
    return ask(client, section()) == 200 and web.origin.requests[-1].line == "GET / HTTP/1.1"


MALFORMED = {
    "connection": section((), ("connection", "close")),
    "keep-alive": section((), ("keep-alive", "timeout=5")),
    "proxy-connection": section((), ("proxy-connection", "close")),
    "transfer-encoding": section((), ("transfer-encoding", "chunked")),
    "upgrade": section((), ("upgrade", "websocket")),
    "te": section((), ("te", "gzip")),
    "upper case": section((), ("X-Big", "1")),
    "line in a value": section((), ("x-a", "1\r\nx-b: 2")),
    "LF in a value": section((), ("x-a", "1\nx-b: 2")),
    "NUL in a value": section((), ("x-a", "1\0")),
    "blank before a value": section((), ("x-a", " 1")),
    "blank behind a value": section((), ("x-a", "1 ")),
    "blank in a name": section((), ("x a", "1")),
    "colon in a name": section((), ("x:a", "1")),
    "line in a name": section((), ("x-a: 1\r\nx-b", "1")),
    "empty name": section((), ("", "1")),
    "byte in a name": section((), ("x-\xe4", "1")),
    "unknown pseudo": section((), (":other", "1")),
    "pseudo behind fields": [(":method", "GET"), (":scheme", "http"), ("x-a", "1"), (":authority", WEB), (":path", "/")],
    "pseudo of a response": [(":status", "200"), *section()],
    "two methods": [(":method", "POST"), *section()],
    "two paths": [*section(), (":path", "/b")],
    "two authorities": [*section(), (":authority", WEB)],
    "no method": section({":method": None}),
    "no scheme": section({":scheme": None}),
    "no path": section({":path": None}),
    "empty path": section({":path": ""}),
    "no host": section({":authority": None}),
    "empty authority": section({":authority": ""}),
    "path without slash": section({":path": "x"}),
    "absolute path": section({":path": "http://other/"}),
    "absolute path of another scheme": section({":path": "http://other/", ":scheme": "odd"}),
    "path without slash of another scheme": section({":path": "x", ":scheme": "odd"}),
    "asterisk of another scheme": section({":path": "*", ":scheme": "odd"}),
    "asterisk": section({":path": "*"}),
    "blank in the path": section({":path": "/a b"}),
    "a request in the path": section({":path": "/ HTTP/1.1\r\nx: "}),
    "version in the path": section({":path": "/ HTTP/1.1"}),
    "fragment": section({":path": "/a#b"}),
    "bytes in the path": section({":path": "/\xe4"}),
    "blank in the method": section({":method": "GET /x"}),
    "line in the method": section({":method": "GET / HTTP/1.1\r\nx:"}),
    "line in the authority": section({":authority": f"{WEB}\r\nx: 1"}),
    "user in the authority": section({":authority": f"me@{WEB}"}),
    "other host": section((), ("host", "other.services.haystack")),
    "two hosts": section({":authority": None}, ("host", WEB), ("host", WEB)),
    "length that is none": section((), ("content-length", "+1")),
    "two lengths": section((), ("content-length", "0"), ("content-length", "0")),
    "protocol without CONNECT": section({":protocol": "websocket"}),
    "CONNECT with a path": section({":method": "CONNECT"}),
}


@pytest.mark.parametrize("pairs", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_request_is_refused_and_the_connection_goes_on(web, client, pairs):
    assert ask(client, pairs) in (400, -PROTOCOL_ERROR)
    assert not web.origin.requests
    assert fine(web, client)


@pytest.mark.parametrize(
    ("length", "data"),
    [("3", [(b"ab", ["END_STREAM"])]), ("1", [(b"ab", ["END_STREAM"])]), ("1", [(b"a", []), (b"b", ["END_STREAM"])]), ("5", [])],
)
def test_a_length_that_is_not_the_bodys_is_refused(web, client, length, data):
    pairs = section({":method": "POST"}, ("content-length", length))
    assert ask(client, pairs, end=not data, data=data) == -PROTOCOL_ERROR
    assert fine(web, client)
    assert [request.body for request in web.origin.requests] == [b""]


@pytest.mark.parametrize(
    ("pairs", "seen"),
    [
        (section({":authority": None}, ("host", WEB)), WEB),
        (section((), ("host", WEB)), WEB),
        (section((), ("host", WEB.upper())), WEB),
        (section({":authority": f"{WEB}:80"}), f"{WEB}:80"),
        (section({":scheme": "https"}), WEB),
        (section({":scheme": "odd"}), WEB),
    ],
)
def test_the_authority_is_the_host(web, client, pairs, seen):
    assert ask(client, pairs) == 200
    assert web.origin.requests[-1].fields("host") == [seen]


@pytest.mark.parametrize("path", ["/%00%ff", "//x//", "/a?b?c", "/..;/x", "/a;b=c,d:e@f!$&'()*+", "/" + "x" * 4000, '/[]|\\^`{}"<>'])
def test_odd_paths_go_up_as_they_are(web, client, path):
    assert ask(client, section({":path": path})) == 200
    assert web.origin.requests[-1].line == f"GET {path} HTTP/1.1"


def test_options_may_be_for_the_server(web, client):
    assert ask(client, section({":method": "OPTIONS", ":path": "*"})) == 200
    assert web.origin.requests[-1].line == "OPTIONS * HTTP/1.1"


@pytest.mark.parametrize("value", ["a\tb", "", "a, b", '"quoted"', "x" * 4000])
def test_values_go_up_as_they_are(web, client, value):
    assert ask(client, section((), ("x-value", value))) == 200
    assert web.origin.requests[-1].fields("x-value") == [value]


def test_a_head_that_is_too_long_gets_431_and_so_do_too_many_fields(web, client):
    assert ask(client, section((), ("x-long", "x" * 9000))) == 431
    assert ask(client, section((), *[(f"x-{n}", "x" * 300) for n in range(30)])) == 431
    assert ask(client, section((), *[(f"x-{n}", "1") for n in range(42)])) == 431
    assert ask(client, section((), *[(f"x-{n}", "1") for n in range(39)])) == 200
    assert ask(client, section({":path": "/" + "x" * 9000})) == 431
    assert len(web.origin.requests) == 1


def test_crumbs_count_one_by_one(web, client):
    assert ask(client, section((), *[("cookie", f"c{n}=1") for n in range(42)])) == 431
    assert ask(client, section((), *[("cookie", f"c{n}=1") for n in range(39)])) == 200


def test_a_head_may_come_in_pieces(web, client):
    block = client.encoder.encode(section((), ("x-a", "y" * 2000)))
    parts = [block[at : at + 500] for at in range(0, len(block), 500)]
    client.send(HeadersFrame(1, parts[0], flags=["END_STREAM"]))
    client.send(*(ContinuationFrame(1, part, flags=["END_HEADERS"] if part is parts[-1] else []) for part in parts[1:]))
    assert client.hear(lambda: client.of(DataFrame, 1))
    assert web.origin.requests[-1].fields("x-a") == ["y" * 2000]


@pytest.mark.parametrize("pairs", [[(":status", "200")], [("connection", "x")], [("X-Big", "1")], [("x-a", "1\r\nb: 2")], [("x a", "1")]])
def test_malformed_trailers_reset_their_stream(web, client, pairs):
    number = client.next
    client.send(client.head(WEB, method="POST", end=False), DataFrame(number, b"abc"))
    client.send(HeadersFrame(number, client.encoder.encode(pairs), flags=["END_HEADERS", "END_STREAM"]))
    assert client.hear(lambda: client.of(RstStreamFrame, number))
    assert client.of(RstStreamFrame, number)[0].error_code == PROTOCOL_ERROR
    assert fine(web, client)


def test_trailers_have_a_limit(web, client):
    number = client.next
    client.send(client.head(WEB, method="POST", end=False), DataFrame(number, b"abc"))
    block = client.encoder.encode([(f"x-{n}", "x" * 1000) for n in range(12)])
    client.send(HeadersFrame(number, block, flags=["END_HEADERS", "END_STREAM"]))
    assert client.status(number) == 400
    assert not any(request.trailers for request in web.origin.requests)  # nor is a part of it taken for all
    assert fine(web, client)


@pytest.mark.parametrize("number", [0, 2])
def test_a_stream_with_a_bad_number_ends_the_connection(client, number):
    client.send(client.head(WEB, number=number or 2) if number else b"\0\0\1\1\5\0\0\0\0\x82")
    assert client.ended() == PROTOCOL_ERROR


def test_a_stream_that_is_older_than_another_is_ignored(web, client):
    client.next = 9
    assert ask(client, section()) == 200
    client.send(client.head(WEB, number=5))
    assert fine(web, client)
    assert 5 not in client.sections


def test_bytes_of_a_value_go_up_as_they_are(web, client):
    assert ask(client, [*section(), (b"x-value", b"\xe4\xff\x80")]) == 200
    assert web.origin.requests[-1].fields("x-value") == ["\xe4\xff\x80"]


def test_a_field_section_that_is_no_hpack_ends_the_connection(client):
    client.send(HeadersFrame(1, b"\xff\xff\xff\xff\xff\xff", flags=["END_HEADERS", "END_STREAM"]))
    assert client.ended() == 9  # COMPRESSION_ERROR


def test_one_request_more_than_may_be_at_once_is_refused_and_the_others_are_answered(web):
    gate = threading.Event()
    web.origin.script = held(gate)
    try:
        with web.rude(timeout=20) as client:
            for _ in range(129):
                client.send(client.head(WEB))
            assert client.hear(lambda: client.of(RstStreamFrame, 257))
            assert client.of(RstStreamFrame, 257)[0].error_code == REFUSED
            gate.set()
            assert client.hear(lambda: len(client.of(DataFrame)) == 128, 20)
            assert len(client.of(RstStreamFrame)) == 1
    finally:
        gate.set()
        web.origin.script = respond()


@pytest.mark.parametrize("value", ["u=1, i", "u=9", "i=?0", "nonsense;;;", "u=0" + ",u=1" * 500])
def test_a_priority_is_no_reason_to_refuse(web, client, value):
    assert ask(client, section((), ("priority", value))) == 200
    assert web.origin.requests[-1].fields("priority") == [value]


def test_frames_of_priority_and_unknown_ones_are_taken(web, client):
    update = b"\0\0\0\0" + b"u=1"
    client.send(b"\0\0\7\x10\0\0\0\0\0" + update[:4] + b"u=1", b"\0\0\5\2\0\0\0\0\x03" + b"\0\0\0\0\1", b"\0\0\0\xfe\0\0\0\0\0")
    assert fine(web, client)


def test_answers_with_heads_of_several_frames_keep_apart_on_all_connections(web):
    """All sessions of a worker write their frames in one block of memory; a long head needs more than that."""

    async def script(call):
        name = call.request.line.split()[1].strip("/")
        fields = "".join(f"x-{n}: {name}{'-' * 1990}{n}\r\n" for n in range(20))
        await call.send(f"HTTP/1.1 200 OK\r\n{fields}Content-Length: {len(name)}\r\n\r\n{name}".encode())

    web.origin.script = script
    try:
        with ExitStack() as stack:
            clients = [stack.enter_context(web.client()) for _ in range(6)]
            asked = [(client, f"{n}.{turn}") for turn in range(4) for n, client in enumerate(clients)]
            numbers = [(client, client.begin(WEB, f"/{name}"), name) for client, name in asked]
            for client, number, name in reversed(numbers):
                answer = client.answer(number)
                assert bytes(answer.body) == name.encode()
                assert [dict(answer.fields)[f"x-{n}"] for n in range(20)] == [f"{name}{'-' * 1990}{n}" for n in range(20)]
    finally:
        web.origin.script = respond()

"""Requests and responses by HTTP/2, as a client and an endpoint see them (RFC 9113, section 8)."""

from __future__ import annotations

import asyncio
import threading

import pytest
from hyperframe.frame import HeadersFrame, RstStreamFrame

from tests.fakes.h2c import WEB, house
from tests.fakes.http2 import Answer
from tests.fakes.origin import chunked, held, inform, never, respond
from tests.fakes.worker import until

NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"


@pytest.fixture(scope="module")
def web(fakes):
    with house(fakes, HAYSTACK_MAX_HEAD="8192", HAYSTACK_MAX_HEADERS="40", HAYSTACK_ACCESS_LOG="json") as made:
        yield made


@pytest.fixture(autouse=True)
def plain_answer(web):
    web.origin.script = respond()
    web.origin.requests.clear()


@pytest.fixture
def client(web):
    with web.client() as made:
        yield made


def seen(web) -> list[str]:
    """The lines of the newest request's head."""
    return web.origin.requests[-1].head.decode("latin-1").split("\r\n")[:-2]


# What goes up.


def test_a_request_goes_up_as_one_of_http1(web, client):
    answer = client.get(WEB, "/a?b=c", fields=[("accept", "*/*"), ("x-one", "1"), ("x-two", "")])
    assert (answer.status, bytes(answer.body), answer.get("content-length")) == (200, b"ok", "2")
    line, *fields = seen(web)
    assert line == "GET /a?b=c HTTP/1.1"
    assert fields[:4] == [f"host: {WEB}", "accept: */*", "x-one: 1", "x-two: "]
    request = web.origin.requests[-1]
    assert request.fields("via")[0].startswith("2.0 haystack-")
    assert (request.fields("x-forwarded-proto"), request.fields("connection")) == (["http"], [])


def test_many_requests_share_the_connection(web, client):
    numbers = [client.begin(WEB, f"/{n}") for n in range(50)]
    assert [client.answer(number).status for number in numbers] == [200] * 50
    assert {request.line for request in web.origin.requests} == {f"GET /{n} HTTP/1.1" for n in range(50)}


@pytest.mark.parametrize("length", [True, False])
@pytest.mark.parametrize("size", [0, 1, 1000, 70_000, 3_000_000])
def test_a_body_goes_up_with_its_length_or_in_chunks(web, client, length, size):
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    assert client.post(WEB, body, length=length).status == 200
    request = web.origin.requests[-1]
    assert request.body == body
    assert request.fields("content-length") == ([str(size)] if length else [])
    assert request.fields("transfer-encoding") == ([] if length else ["chunked"])


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_no_body_is_said_where_there_is_one_as_a_rule(web, client, method):
    assert client.get(WEB, method=method).status == 200
    assert web.origin.requests[-1].fields("content-length") == ["0"]


@pytest.mark.parametrize("method", ["GET", "DELETE", "OPTIONS", "PROPFIND"])
def test_a_method_without_a_body_as_a_rule_goes_up_without_a_length(web, client, method):
    assert client.get(WEB, method=method).status == 200
    assert web.origin.requests[-1].fields("content-length") == web.origin.requests[-1].fields("transfer-encoding") == []


def test_crumbs_of_a_cookie_are_one_field(web, client):
    client.get(WEB, fields=[("cookie", "a=b"), ("x-between", "1"), ("cookie", "c=d"), ("cookie", "e=f")])
    assert web.origin.requests[-1].fields("cookie") == ["a=b; c=d; e=f"]


def test_te_trailers_goes_on(web, client):
    client.get(WEB, fields=[("te", "trailers")])
    request = web.origin.requests[-1]
    assert (request.fields("te"), request.fields("connection")) == (["trailers"], ["TE"])


def test_trailers_go_up_behind_chunks(web, client):
    assert client.post(WEB, b"abc", length=False, trailers=[("x-sum", "1"), ("content-type", "x")]).status == 200
    request = web.origin.requests[-1]
    assert (request.body, request.trailers) == (b"abc", [("x-sum", "1")])


def test_trailers_behind_a_body_with_a_length_are_left_out(web, client):
    assert client.post(WEB, b"abc", trailers=[("x-sum", "1")]).status == 200
    assert (web.origin.requests[-1].body, web.origin.requests[-1].trailers) == (b"abc", [])


def test_expect_waits_for_the_endpoint(web, client):
    async def script(call):
        await asyncio.sleep(0)
        await call.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        await respond()(call)

    web.origin.script = script
    number = client.begin(WEB, method="POST", fields=[("content-length", "4"), ("expect", "100-continue")], end=False)
    client.hear(lambda: client.answers[number].interim)
    assert client.answers[number].interim[0][0] == 100
    client.upload(number, b"body", end=True)
    assert client.answer(number).status == 200
    assert web.origin.requests[-1].body == b"body"


# What comes down.


def test_interim_responses_come_first(web, client):
    web.origin.script = inform(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: </b>\r\n\r\n")
    answer = client.get(WEB)
    assert answer.interim == [(103, [("link", "</a>")]), (103, [("link", "</b>")])]
    assert (answer.status, bytes(answer.body)) == (200, b"ok")


def test_trailers_come_down(web, client):
    web.origin.script = chunked(b"abc", b"def", trailer=b"X-Sum: 7\r\nContent-Type: x\r\n")
    answer = client.get(WEB)
    assert (bytes(answer.body), answer.trailers) == (b"abcdef", [("x-sum", "7")])


def test_trailers_come_down_alone(web, client):
    web.origin.script = chunked(trailer=b"grpc-status: 0\r\n")
    answer = client.get(WEB, fields=[("te", "trailers")])
    assert (bytes(answer.body), answer.trailers, answer.ended) == (b"", [("grpc-status", "0")], True)


def test_what_is_between_neighbours_stays_there(web, client):
    web.origin.script = respond(
        b"HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Hop\r\nKeep-Alive: timeout=5\r\nX-Hop: 1\r\nUpgrade: h2c\r\nProxy-Connection: x\r\n"
        b"X-Stays: 1\r\nContent-Length: 2\r\n\r\nok"
    )
    assert {name for name, _ in client.get(WEB).fields} == {"x-stays", "content-length", "date"}


@pytest.mark.parametrize("raw", [NO_CONTENT, b"HTTP/1.1 304 Not Modified\r\nETag: x\r\nContent-Length: 5\r\n\r\n"])
def test_a_response_without_a_body_ends_with_its_head(web, client, raw):
    web.origin.script = respond(raw)
    answer = client.get(WEB)
    assert (answer.status, bytes(answer.body), answer.ended) == (int(raw[9:12]), b"", True)


def test_a_head_request_gets_the_length_alone(web, client):
    web.origin.script = respond(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    answer = client.get(WEB, method="HEAD")
    assert (answer.get("content-length"), bytes(answer.body), answer.ended) == ("1000", b"", True)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("fields", [1, 900])
def test_a_head_of_any_size_that_may_be_comes_down(web, fields, method):
    """nghttp2 takes sections of up to 64 KiB unless it is told otherwise, and reckons with 12 bytes a field."""
    lines = b"".join(b"x-%05d: %b\r\n" % (number, b"y" * (65_000 // fields - 11)) for number in range(fields))
    web.origin.script = respond(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n" + lines + b"\r\n" + (b"ok" if method == "GET" else b""))
    with web.rude() as client:
        client.decoder.decode = lambda _data: []
        client.send(client.head(WEB, method=method))
        client.hear(lambda: client.of(HeadersFrame, 1) or client.of(RstStreamFrame, 1))
        assert not client.of(RstStreamFrame, 1)


def test_a_body_that_ends_with_its_connection_is_whole(web, client):
    async def script(call):
        await call.send(b"HTTP/1.0 200 OK\r\n\r\nsome of it")
        await call.send(b" and the rest")
        call.keep = False

    web.origin.script = script
    answer = client.get(WEB)
    assert (bytes(answer.body), answer.ended) == (b"some of it and the rest", True)


def test_secrets_are_in_nobodys_table(web):
    web.origin.script = respond(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=secret\r\nContent-Length: 2\r\n\r\nok")
    with web.rude() as client:
        client.send(client.head(WEB))
        client.hear(lambda: client.of(type(client.head(WEB)), 1))
        client.decoder.decode(client.of(type(client.head(WEB)), 1)[0].data)
        assert b"set-cookie" not in [name for name, _ in client.decoder.header_table.dynamic_entries]


# Answers of Haystack's own.


@pytest.mark.parametrize(
    ("accept", "kind"),
    [("text/html", "text/html; charset=utf-8"), ("application/json", "application/problem+json"), ("*/*", "text/plain; charset=utf-8")],
)
def test_an_unknown_host_is_told_in_the_form_that_is_asked_for(client, accept, kind):
    answer = client.get("nobody.services.haystack", fields=[("accept", accept)])
    assert (answer.status, answer.get("content-type"), answer.get("connection")) == (404, kind, None)
    assert answer.get("proxy-status").startswith("haystack; error=destination_not_found")
    assert len(answer.body) == int(answer.get("content-length")) > 0


def test_a_head_request_to_nobody_gets_no_body(client):
    answer = client.get("nobody.services.haystack", method="HEAD")
    assert (answer.status, bytes(answer.body), answer.ended) == (404, b"", True)


def test_a_body_that_nobody_wants_is_not_waited_for(web, client):
    number = client.begin("nobody.services.haystack", method="POST", end=False)
    assert client.answer(number).status == 404
    client.ping()
    assert client.answers[number].reset == 0  # RFC 9113, section 8.1
    assert client.get(WEB).status == 200


@pytest.mark.parametrize("method", ["HEAD", "POST"])
def test_a_response_without_a_body_comes_before_the_request_is_whole(web, client, method):
    """RFC 9113, section 8.1: a whole response, and only then the word that the rest of the request is nobody's."""
    web.origin.script = early(b"HTTP/1.1 204 No Content\r\n\r\n")
    number = client.begin(WEB, method=method, end=False)
    answer = client.answer(number)
    client.ping()
    assert (answer.status, answer.ended, answer.reset) == (204, True, 0)


def test_trailers_come_before_the_request_is_whole(web, client):
    web.origin.script = early(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\ngrpc-status: 8\r\n\r\n")
    number = client.begin(WEB, method="POST", end=False)
    answer = client.answer(number)
    client.ping()
    assert (bytes(answer.body), answer.trailers, answer.ended, answer.reset) == (b"abc", [("grpc-status", "8")], True, 0)


def early(data):
    """Answer once the head is there, whatever is still to come of the body."""

    async def script(call):
        await call.send(data)
        call.keep = False

    return script


def test_connect_is_not_for_this_proxy(client):
    number = client.h2.get_next_available_stream_id()
    client.answers[number] = Answer()
    client.h2.send_headers(number, [(":method", "CONNECT"), (":authority", f"{WEB}:80")])
    client.flush()
    assert client.answer(number).status == 501


# Clients that do not wait.


def test_a_stream_that_is_reset_ends_its_request_alone(web, client):
    gate = threading.Event()
    web.origin.script = held(gate)
    first, second = client.begin(WEB, "/first"), client.begin(WEB, "/second")
    until(lambda: len(web.origin.requests) == 2, 9, "they never came")
    before = web.origin.open
    client.cancel(first)
    client.ping()
    gate.set()
    assert client.answer(second).status == 200
    client.ping()
    assert not client.answers[first].status
    until(lambda: web.origin.open < before, 9, "its connection is kept, with a response that nobody asked for on it")


def test_an_endpoint_that_waits_hears_of_the_reset(web, client):
    web.origin.script = never()
    number = client.begin(WEB, "/waits")
    until(lambda: web.origin.requests, 9, "it never came")
    before = web.origin.open
    client.cancel(number)
    until(lambda: web.origin.open < before, 9, "the endpoint is still at work")
    web.origin.script = respond()
    assert client.get(WEB).status == 200

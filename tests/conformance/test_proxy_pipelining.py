"""Requests sent before their predecessors are answered: the answers come in their order (RFC 9112, section 9.3.2)."""

from __future__ import annotations

import asyncio
import threading

import pytest

from tests.fakes.origin import OK, Call, respond, respond_and_close
from tests.fakes.worker import Site, host

LAST = "GET /last HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n"


def get(name: str, target: object) -> bytes:
    return f"GET /{target} HTTP/1.1\r\nHost: {name}\r\n\r\n".encode()


async def mirror(call: Call) -> None:
    """Answer with the request's target and body, after a breath where the target asks for it."""
    body = await call.body()
    target = call.request.line.split()[1].encode()
    if b"slow" in target:
        await asyncio.sleep(0.02)
    text = target + b"=" + body
    await call.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(text) + text)


@pytest.mark.parametrize("whole", [True, False], ids=["in one piece", "byte by byte"])
def test_a_hundred_deep(site: Site, whole: bool) -> None:
    """Section 9.3.2: a server must send the responses in the order of the requests."""
    name, origin = site.one(mirror)
    data = b"".join(get(name, n) for n in range(100))
    with site.client() as client:
        client.send(*([data] if whole else [bytes([b]) for b in data]))
        assert [client.response().body for _ in range(100)] == [b"/%d=" % n for n in range(100)]
    assert [request.line.split()[1] for request in origin.requests] == [f"/{n}" for n in range(100)]


def test_behind_bodies_of_both_framings(site: Site) -> None:
    """Sections 6.3 and 9.3.2: a request begins where the body before it ends."""
    name, _ = site.one(mirror)
    head = f"POST /p HTTP/1.1\r\nHost: {name}\r\n".encode()
    chunked = head + b"Transfer-Encoding: chunked\r\n\r\n5;x\r\nhello\r\n1\r\n!\r\n0\r\n\r\n"
    length = head + b"Content-Length: 5\r\n\r\nworld"
    large = head + b"Content-Length: 300000\r\n\r\n" + b"x" * 300_000
    with site.client() as client:
        client.send((chunked + get(name, 1) + length + get(name, 2) + large + get(name, 3)) * 3)
        bodies = [client.response().body for _ in range(18)]
    assert bodies == [b"/p=hello!", b"/1=", b"/p=world", b"/2=", b"/p=" + b"x" * 300_000, b"/3="] * 3


def test_behind_a_slow_answer(site: Site) -> None:
    """Section 9.3.2: the fast answer waits for the slow one before it, on another service too."""
    slow, fast = site.one(mirror)[0], site.one(mirror)[0]
    with site.client() as client:
        client.send(get(slow, "slow") + get(fast, 1) + get(slow, "slow2") + get(fast, 2))
        assert [client.response().body for _ in range(4)] == [b"/slow=", b"/1=", b"/slow2=", b"/2="]


def test_behind_answers_of_haystack_itself(site: Site) -> None:
    """Section 9.3.2: 404, 502 and the web side take their places in the row, and end nothing."""
    name, _ = site.one(mirror)
    dying, _ = site.one(respond_and_close())
    requests = get(name, 1) + get("nowhere.services.haystack", 2) + get(dying, 3) + get(host("refusing"), 4) + get("localhost", "healthz")
    with site.client() as client:
        client.send(requests + get(name, 5))
        assert [client.response().status for _ in range(6)] == [200, 404, 502, 502, 200, 200]


def test_behind_head_and_answers_without_body(site: Site) -> None:
    """Sections 6.3, rule 1, and 9.3.2: an answer without body does not take the next one for it."""

    async def quiet(call: Call) -> None:
        status = call.request.line.split()[1].strip("/") or "200"
        length = b"" if status == "204" else b"Content-Length: 2\r\n"
        body = b"" if status in ("204", "304") or call.request.line.startswith("HEAD") else b"ok"
        await call.send(f"HTTP/1.1 {status} X\r\n".encode() + length + b"\r\n" + body)

    name, _ = site.one(quiet)
    order = [("HEAD", "200"), ("GET", "204"), ("GET", "200"), ("GET", "304"), ("HEAD", "200"), ("GET", "200")]
    with site.client() as client:
        client.send(b"".join(f"{method} /{status} HTTP/1.1\r\nHost: {name}\r\n\r\n".encode() for method, status in order))
        answers = [client.response(method) for method, _ in order]
    assert [(answer.status, answer.body) for answer in answers] == [
        (int(status), b"ok" if (method, status) == ("GET", "200") else b"") for method, status in order
    ]


def test_behind_a_bad_request_nothing_is_answered(site: Site) -> None:
    """Sections 2.2 and 9.6: what came before is answered, then 400, then the end."""
    name, origin = site.one(mirror)
    with site.client() as client:
        client.send(get(name, 1) + get(name, "slow") + b"GET / HTTP/1.1\r\nX : y\r\n\r\n" + get(name, 2))
        assert [client.response().status for _ in range(3)] == [200, 200, 400]
        assert client.closed()
    assert len(origin.requests) == 2


def test_behind_connection_close_nothing_is_processed(site: Site) -> None:
    """Section 9.6: a server that receives the close option must not process any further request of that connection."""
    name, origin = site.one(mirror)
    with site.client() as client:
        client.send(get(name, 1) + LAST.format(name).encode() + get(name, 2) + get(name, 3))
        assert [client.response().body for _ in range(2)] == [b"/1=", b"/last="]
        assert client.closed()
    assert len(origin.requests) == 2


def test_behind_an_answer_that_closes_nothing_is_processed(site: Site) -> None:
    """Section 9.6: nor behind a response that said close, here of a body until the end of an HTTP/1.0 exchange."""
    name, origin = site.one(respond_and_close(b"HTTP/1.1 200 OK\r\n\r\nuntil the end"))
    with site.client() as client:
        client.send(f"GET / HTTP/1.0\r\nHost: {name}\r\nConnection: keep-alive\r\n\r\n".encode() + get(name, 2))
        assert client.response().body == b"until the end"
        assert client.closed()
    assert len(origin.requests) == 1


def test_behind_an_early_answer_the_body_is_no_request(site: Site) -> None:
    """Sections 9.3 and 9.6: the rest of a body that nobody waited for must not be read as the next request."""

    async def early(call: Call) -> None:
        await call.send(OK)

    name, origin = site.one(early)
    smuggled = get(name, "smuggled")
    with site.client() as client:
        client.send(f"POST / HTTP/1.1\r\nHost: {name}\r\nContent-Length: 100000\r\n\r\n".encode())
        response = client.response()
        assert (response.status, response.get("connection")) == (200, "close")
        client.send(smuggled * 10)
        assert client.closed()
    assert [request.line for request in origin.requests] == ["POST / HTTP/1.1"]


def test_all_requests_of_a_half_closed_client_are_answered(site: Site) -> None:
    """Section 9.3.2, and 9.6: a client that has said all it wants to say still reads."""
    name, _ = site.one(mirror)
    with site.client() as client:
        client.send(b"".join(get(name, f"slow{n}") for n in range(10))).half_close()
        assert [client.response().body for _ in range(10)] == [b"/slow%d=" % n for n in range(10)]
        assert client.closed()


def test_a_request_that_is_not_safe_waits_for_the_answer_before_it(site: Site) -> None:
    """Section 9.3.2: only safe methods may be processed in parallel; what comes behind a POST must find its effect."""
    gate = threading.Event()

    async def gated(call: Call) -> None:
        await call.body()
        await asyncio.to_thread(gate.wait, 5)
        await call.send(OK)

    first, _ = site.one(gated)
    second, after = site.one(respond())
    with site.client() as client:
        client.send(f"POST / HTTP/1.1\r\nHost: {first}\r\nContent-Length: 2\r\n\r\nok".encode() + get(second, 1))
        with site.client() as other:
            assert other.get("localhost", "/healthz").status == 200
        assert after.requests == []
        gate.set()
        assert [client.response().status for _ in range(2)] == [200, 200]

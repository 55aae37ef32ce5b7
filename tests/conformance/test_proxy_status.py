"""Every answer of Haystack's own says who made it and why, in the words of RFC 9209, section 2.3."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.fakes.client import Client
from tests.fakes.origin import Origin, Script, inform, reset, respond, respond_and_close
from tests.fakes.worker import Haystack, Site, host, until

# RFC 9209, section 2.1 and 2.3: a member named after the proxy; an error type and, at will, other parameters.
VALUE = re.compile(r'haystack; error=[a-z_]+(; [a-z-]+=([a-z0-9_]+|"[^"\\]*"|[0-9]+))*')
GET = b"GET / HTTP/1.1\r\nHost: HOST\r\n"
POST = b"POST / HTTP/1.1\r\nHost: HOST\r\n"

# What a client does wrong: section 2.3 (http_request_error: a 4xx on the origin's behalf) and what stands beside it.
REQUESTS = {
    "two framings": (POST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "http_request_error"),
    "bad chunks": (POST + b"Transfer-Encoding: chunked\r\n\r\nx\r\n", 400, "http_request_error"),
    "no Host": (b"GET / HTTP/1.1\r\n\r\n", 400, "http_request_error"),
    "a bad Host": (b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400, "http_request_error"),
    "noise": (b"\x16\x03\x01\x02\0\r\n\r\n", 400, "http_request_error"),
    "a large field": (GET + b"X: " + b"x" * 70_000 + b"\r\n\r\n", 431, "http_request_error"),
    "many fields": (GET + b"X: y\r\n" * 1000 + b"\r\n", 431, "http_request_error"),
    "a long target": (b"GET /" + b"x" * 70_000, 414, "http_request_error"),
    "an unknown coding": (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n", 501, "http_request_error"),
    "CONNECT": (b"CONNECT a.b:443 HTTP/1.1\r\nHost: a.b\r\n\r\n", 501, "http_request_error"),
    "HTTP/2.0": (b"GET / HTTP/2.0\r\nHost: HOST\r\n\r\n", 505, "http_request_error"),
    "an unknown name": (b"GET / HTTP/1.1\r\nHost: nowhere.services.haystack\r\n\r\n", 404, "destination_not_found"),
    "an unknown host": (b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n", 404, "destination_not_found"),
}


@pytest.mark.parametrize(("data", "status", "word"), REQUESTS.values(), ids=REQUESTS.keys())
def test_of_a_request(site: Site, shared: str, data: bytes, status: int, word: str) -> None:
    """RFC 9209, section 2.3; RFC 9110, sections 15.5 and 15.6; RFC 6585, section 5."""
    with site.client() as client:
        response = client.send(data.replace(b"HOST", shared.encode())).response()
        assert response.status == status
        assert_says(response.get("proxy-status"), word)
        assert response.complete


def test_a_service_none_of_whose_ports_speaks_http_is_there_and_names_the_label(origin: Origin, tmp_path: Path) -> None:
    """A 404 all the same, for nothing is served there; but not the one of a name that nobody has."""
    gitea = f'[[container]]\nname = "gitea"\nimage = "gitea"\naddress = "127.0.0.1"\nports = ["22/tcp", "{origin.port}/tcp"]\n'
    (tmp_path / "static.toml").write_text(gitea)
    with Haystack([], HAYSTACK_STATIC=str(tmp_path / "static.toml")) as haystack:
        with Client(haystack.port) as client:
            there, nowhere = (client.get(host(name)) for name in ("gitea", "nowhere"))
        assert (there.status, nowhere.status) == (404, 404)
        assert_says(there.get("proxy-status"), "destination_not_found")
        for told in (there.body.decode(), there.get("proxy-status") or ""):
            assert f"gitea.services.haystack exists, but none of its ports is known to speak HTTP (22/tcp, {origin.port}/tcp)" in told
            assert f"haystack.port={origin.port}" in told
        (tmp_path / "static.toml").write_text(f'{gitea}labels = {{ "haystack.port" = "{origin.port}" }}\n')
        until(lambda: status(haystack.port, "gitea") == 200, 20, "the label changed nothing")


def status(port: int, name: str) -> int:
    with Client(port) as client:
        return client.get(host(name)).status


@pytest.fixture(scope="module")
def shared(site: Site) -> str:
    return site.one()[0]


def assert_says(value: str | None, word: str) -> None:
    assert value
    assert VALUE.fullmatch(value)
    assert f"; error={word}" in value


ANSWERS = {
    "an end before the answer": (respond_and_close(), "connection_terminated"),
    "a reset": (reset(), "connection_terminated"),
    "an end within the head": (respond_and_close(b"HTTP/1.1 200 OK\r\nCont"), "http_response_incomplete"),
    "noise": (respond_and_close(b"noise\r\n\r\n"), "http_protocol_error"),
    "two framings": (
        respond(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        "http_protocol_error",
    ),
    "a bad interim one": (inform(b"HTTP/1.1 103 Hi\r\nX : y\r\n\r\n"), "http_protocol_error"),
}


@pytest.mark.parametrize(("script", "word"), ANSWERS.values(), ids=ANSWERS.keys())
def test_of_an_endpoint(site: Site, script: Script, word: str) -> None:
    """RFC 9110, section 15.6.3: 502; the word of RFC 9209, section 2.3."""
    name, _ = site.one(script)
    with site.client() as client:
        response = client.get(name)
        assert response.status == 502
        assert_says(response.get("proxy-status"), word)
        assert client.get("localhost", "/healthz").status == 200, "the endpoint's fault is not the client's: its connection goes on"


def test_of_an_endpoint_that_is_not_there(site: Site) -> None:
    """RFC 9209, section 2.3 (connection_refused)."""
    with site.client() as client:
        response = client.get(host("refusing"))
        assert response.status == 502
        assert_says(response.get("proxy-status"), "connection_refused")


def test_an_answer_of_the_endpoint_says_nothing_of_us(site: Site) -> None:
    """RFC 9209, section 2: the field is for what the intermediary did; an origin's own 502 passes as it is."""
    value = b"other; error=dns_timeout"
    name, _ = site.one(respond(b"HTTP/1.1 502 Bad\r\nProxy-Status: " + value + b"\r\nContent-Length: 2\r\n\r\nno"))
    with site.client() as client:
        response = client.get(name)
        assert (response.status, response.body) == (502, b"no")
        assert response.all("proxy-status") == [value.decode()]
    plain, _ = site.one()
    with site.client() as client:
        assert client.get(plain).get("proxy-status") is None


def test_an_answer_to_head_has_no_body(site: Site) -> None:
    """RFC 9110, section 9.3.2: Haystack's own too, with the length that GET would have had."""
    with site.client() as client:
        for name in ("nowhere.services.haystack", host("refusing")):
            by_head, by_get = client.get(name, method="HEAD"), client.get(name)
            assert by_head.status == by_get.status
            assert by_head.get("content-length") == by_get.get("content-length") == str(len(by_get.body))
            assert_says(by_head.get("proxy-status"), "destination_not_found" if by_head.status == 404 else "connection_refused")


@pytest.mark.parametrize("target", ["/<script>alert(1)</script>", '/"quoted"', "/a\\b"])
def test_an_answer_repeats_nothing_of_the_request(site: Site, target: str) -> None:
    """RFC 9209, section 4: details may tell too much; and what a client sent is never put into an answer unquoted."""
    with site.client() as client:
        client.send(f"GET {target} HTTP/1.1\r\nHost: nowhere.services.haystack\r\n\r\n".encode("latin-1"))
        response = client.response()
    assert target.strip("/").encode("latin-1") not in response.body
    assert_says(response.get("proxy-status"), "destination_not_found")

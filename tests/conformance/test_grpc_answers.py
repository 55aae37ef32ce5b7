"""A call of gRPC's that Haystack answers itself gets a status of gRPC, in the head alone (PROTOCOL-HTTP2, Trailers-Only)."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import unquote

import grpc
import pytest

from tests.fakes.client import Client, Response
from tests.fakes.origin import never, respond, respond_and_close
from tests.fakes.worker import Haystack, Member, Site, host, until

CALL = b"Content-Type: application/grpc\r\nTE: trailers\r\n"
TYPES = {
    "application/grpc": "application/grpc",
    "application/grpc+proto": "application/grpc+proto",
    "application/grpc+json": "application/grpc+json",
    "Application/GRPC+Proto ; charset=x": "application/grpc+proto",
    "application/grpc+own": "application/grpc",
    "application/grpc;x=y": "application/grpc",
    "application/grpc-web": "application/grpc-web",
    "application/grpc-web+proto": "application/grpc-web+proto",
    "application/grpc-web-text": "application/grpc-web-text",
    "application/grpc-web-text+proto": "application/grpc-web-text+proto",
    "application/grpc-web+thrift": "application/grpc-web",
}


def code(response: Response) -> int:
    """What a client of gRPC's makes of it: the number of its status."""
    assert (response.status, response.get("Content-Length"), response.body) == (200, "0", b"")
    return int(response.get("grpc-status") or -1)


def number(name: str) -> int:
    return grpc.StatusCode[name].value[0]


@pytest.mark.parametrize(("asked", "answered"), TYPES.items())
def test_a_name_that_is_not_there_is_a_status_of_the_type_that_was_asked_with(site: Site, asked: str, answered: str) -> None:
    with site.client() as client:
        response = client.get("nobody.example", "/shop.Cart/Add", b"Accept: text/html\r\nContent-Type: " + asked.encode() + b"\r\n", "POST")
    assert (code(response), response.get("Content-Type")) == (number("UNIMPLEMENTED"), answered)
    assert response.get("Vary") is None


@pytest.mark.parametrize("asked", ["application/grpcx", "application/grp", "text/grpc", "application/grpc-webx", "application/grpc/x", ""])
def test_others_are_answered_as_ever(site: Site, asked: str) -> None:
    with site.client() as client:
        response = client.get("nobody.example", "/", b"Content-Type: " + asked.encode() + b"\r\nContent-Length: 0\r\n", "POST")
    assert (response.status, response.get("grpc-status"), response.get("Vary")) == (404, None, "Accept")


def test_the_message_and_the_fields_tell_what_the_text_does(site: Site) -> None:
    with site.client() as client:
        response = client.get("nobody.example", "/", CALL + b"X-Request-Id: mine-1\r\n", "POST")
        plain = client.get("nobody.example", "/", b"X-Request-Id: mine-1\r\n")
    assert unquote(response.get("grpc-message") or "") == plain.body.decode().strip()
    assert response.get("grpc-message") == "404 Not Found: no service has this host name and path (request mine-1)"
    for name in ("Proxy-Status", "X-Request-Id", "Cache-Control"):
        assert response.get(name) == plain.get(name) != ""


def test_what_is_no_printable_ascii_is_encoded(site: Site) -> None:
    """PROTOCOL-HTTP2, Responses: Percent-Byte-Unencoded is %x20-%x24 and %x26-%x7E."""
    with site.client() as client:
        response = client.get("nobody.example", "/", CALL + b"X-Request-Id: 100% \xc3\xbc\r\n", "POST")
    said = response.get("grpc-message") or ""
    assert said.endswith("(request 100%25 %C3%83%C2%BC)")
    assert unquote(said).endswith("(request 100% \u00c3\u00bc)")


def test_the_connection_goes_on(site: Site) -> None:
    """Its framing is that of HTTP/1, though nobody speaks gRPC over it but the clients of browsers."""
    name, _ = site.one()
    with site.client() as client:
        assert code(client.get("nobody.example", "/", CALL + b"Content-Length: 0\r\n", "POST")) == number("UNIMPLEMENTED")
        assert client.get(name).status == 200
        assert client.get("nobody.example", "/", CALL, "HEAD").get("grpc-status") == "12"
        assert client.get(name).status == 200


def test_a_service_without_endpoints_is_unavailable(site: Site) -> None:
    with site.client() as client:
        response = client.get(host("refusing"), "/", CALL, "POST")
    assert code(response) == number("UNAVAILABLE")
    assert "502" in (response.get("grpc-message") or "")


def test_an_endpoint_that_breaks_off_is_unavailable(site: Site) -> None:
    name, _ = site.one(respond_and_close())
    with site.client() as client:
        assert code(client.get(name, "/", CALL + b"Content-Length: 0\r\n", "POST")) == number("UNAVAILABLE")


def test_a_limit_that_has_passed_is_one_of_time_for_who_has_the_call_may_be_at_it_still(site: Site) -> None:
    """UNAVAILABLE would have clients send it again."""
    origin_host, origin = site.one(never())
    assert origin_host
    with Haystack([Member("slow", origin.port, {"haystack.timeout": "200ms"})]) as haystack, Client(haystack.port) as client:
        response = client.get(host("slow"), "/", CALL + b"Content-Length: 0\r\n", "POST")
    assert code(response) == number("DEADLINE_EXCEEDED")
    assert "error=http_response_timeout" in (response.get("Proxy-Status") or "")


def test_a_request_that_is_refused_is_internal(site: Site) -> None:
    name, _ = site.one()
    with site.client() as client:
        client.send(b"POST / HTTP/1.1\r\nHost: " + name.encode() + b"\r\n" + CALL + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n")
        assert code(client.response()) == number("INTERNAL")


def test_the_answer_of_an_endpoint_is_its_own(site: Site) -> None:
    name, _ = site.one(respond(b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy"))
    with site.client() as client:
        response = client.get(name, "/", CALL + b"Content-Length: 0\r\n", "POST")
    assert (response.status, response.body) == (503, b"busy")


def test_max_forwards_is_no_error(site: Site) -> None:
    name, _ = site.one()
    with site.client() as client:
        response = client.get(name, "/", CALL + b"Max-Forwards: 0\r\n", "OPTIONS")
    assert (response.status, response.get("grpc-status")) == (200, None)


def test_log_and_counters_have_the_status_that_it_is(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with out.open("wb") as file, Haystack([], out=file, HAYSTACK_ACCESS_LOG="json") as haystack, Client(haystack.port) as client:
        assert code(client.get("nobody.example", "/shop.Cart/Add", CALL, "POST")) == number("UNIMPLEMENTED")
        until(lambda: b"/shop.Cart/Add" in out.read_bytes(), 10, "no line in the access log")
        metrics = client.get("localhost", "/metrics").body.decode()
    (line,) = [json.loads(each) for each in out.read_text().splitlines() if "/shop.Cart/Add" in each]
    assert line["status"] == 404
    assert 'haystack_errors_total{error="destination_not_found",status="404"} 1' in metrics, metrics

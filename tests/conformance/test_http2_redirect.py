"""From HTTP to HTTPS within HTTP/2 (haystack.https=redirect; RFC 9110, section 15.4.9): a stream is told, and its connection goes on."""

from __future__ import annotations

from pathlib import Path

from tests.fakes.http2 import Http2Client
from tests.fakes.origin import Origin
from tests.fakes.pki import Authority
from tests.fakes.tls import trusting
from tests.fakes.worker import Haystack, Member, host

WEB, OPEN = host("web"), host("open")
BODY = b"b" * 200_000


def test_a_request_of_h2c_is_sent_to_https_and_others_of_its_connection_are_served(tmp_path: Path, origin: Origin) -> None:
    (tmp_path / "certs").mkdir()
    authority = Authority(tmp_path)
    authority.write(tmp_path / "certs", "web", WEB)
    members = [Member("web", origin.port, {"haystack.https": "redirect"}), Member("open", origin.port)]
    with Haystack(members, HAYSTACK_CERTS=str(tmp_path / "certs"), HAYSTACK_H2C="on") as haystack:
        port = int(haystack.wait("ready")["https"])
        with Http2Client(haystack.port) as client:
            answers = client.get(WEB, "/a/b?c=d%20e"), client.post(WEB, BODY, "/up"), client.get(WEB, "/", method="HEAD")
            assert [answer.status for answer in answers] == [308] * 3
            assert [answer.get("location") for answer in answers] == [
                f"https://{WEB}:{port}{path}" for path in ("/a/b?c=d%20e", "/up", "/")
            ]
            assert client.get(WEB, "/.well-known/acme-challenge/x").status == 200
            assert client.post(OPEN, BODY).status == 200
            assert not client.goaways
        assert [request.line for request in origin.requests] == ["GET /.well-known/acme-challenge/x HTTP/1.1", "POST / HTTP/1.1"]
        context = trusting(authority.path)
        context.set_alpn_protocols(["h2"])
        with Http2Client(port, context, WEB) as client:
            assert client.post(WEB, BODY, "/up").status == 200

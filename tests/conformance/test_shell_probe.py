"""`probe` with OpenSSH's client, through a real proxy: each phase, failures, and that it reaches nobody but this Haystack."""

import asyncio
import json
import os
import re
from types import SimpleNamespace

import asyncssh
import pytest

from tests.fakes.far_end import FarEnd, tls
from tests.fakes.origin import Origin, refused_port, respond
from tests.fakes.pki import Authority
from tests.fakes.ssh import NEEDS_SSH, ssh
from tests.fakes.worker import Haystack, Member, host

pytestmark = NEEDS_SSH


@pytest.fixture(scope="module")
def proxied(fakes, tmp_path_factory):
    """A Haystack with its shell."""
    folder = tmp_path_factory.mktemp("probe")
    key = asyncssh.generate_private_key("ssh-ed25519")
    key.write_private_key(folder / "good")
    os.chmod(folder / "good", 0o600)  # noqa: PTH101
    made = Origin(fakes, respond(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")).start()
    holder = refused_port()
    members = [Member("app", made.port), Member("sick", holder.getsockname()[1]), Member("tied", made.port, {"haystack.sticky": "on"})]
    public = key.export_public_key().decode()
    with Haystack(members, HAYSTACK_SSH_AUTHORIZED_KEYS=public, HAYSTACK_WAIT="0") as haystack:
        ports = haystack.wait("ready")
        yield SimpleNamespace(port=ports["ssh"], keys=folder, http=ports["http"], origin=made)
    made.stop()
    holder.close()


async def test_each_phase_is_shown(proxied):
    status, out, err = await ssh(proxied, f"probe http://{host('app')}/x?y=1")
    assert (status, err) == (0, "")
    lines = {line[:10].strip(): line[10:] for line in reversed(out.splitlines())}
    assert "127.0.0.1" in lines["name"]
    assert lines["listener"] == f"http, 127.0.0.1:{proxied.http}"
    assert lines["service"] == f"{host('app')}, by host {host('app')} and path /"
    assert lines["endpoint"].startswith(f"appx0 (127.0.0.1:{proxied.origin.port}), a new connection")
    assert lines["status"] == "200 OK, 5B of body"
    for phase in ("route", "connect", "first byte"):
        assert phase in lines["inside"]


async def test_json_has_the_trace(proxied):
    found = json.loads((await ssh(proxied, f"probe {host('app')} --json"))[1])
    assert (found["status"], found["body"], found["whole"], found["error"]) == (200, 5, True, "")
    assert found["trace"]["request_id"].startswith("probe-")
    assert found["trace"]["endpoint"] == f"127.0.0.1:{proxied.origin.port}"


@pytest.mark.parametrize(
    ("url", "text"),
    [
        (host("sick"), "proxy-status"),
        (host("nobody"), "destination_not_found"),
        ("http://169.254.169.254/latest/meta-data", "404"),
    ],
)
async def test_what_fails_has_status_1_and_a_reason(proxied, url, text):
    status, out, _ = await ssh(proxied, f"probe {url}")
    assert text in out
    assert status == (0 if "169" in url else 1)  # Haystack itself answers: it is a request to an address


async def test_the_short_name_of_a_service_is_told_its_whole_name(proxied):
    _, out, _ = await ssh(proxied, f"probe {host('app').removesuffix('.services.haystack')}/x")
    assert f"note      did you mean {host('app')}?" in out.splitlines()


async def test_a_url_reaches_no_port_but_haystacks(proxied):
    """Whatever host, port, user or path stands in it: the request is sent to the listener of this Haystack."""
    asked = []

    async def stranger(_reader, writer):
        asked.append(writer)
        writer.close()

    server = await asyncio.start_server(stranger, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    for url in (f"http://127.0.0.1:{port}/", f"http://localhost:{port}", f"http://a@127.0.0.1:{port}/", f"http://[::1]:{port}/"):
        _, out, _ = await ssh(proxied, f"probe {url}")
        assert f"127.0.0.1:{proxied.http}, for no listener is on port {port}" in out
    server.close()
    await server.wait_closed()
    assert asked == []


@pytest.mark.parametrize(
    "url",
    [
        "http://x\r\nHost: y/",
        "http://a b/",
        "http://x/\r\nEvil: 1",
        "http:///",
        "http://x:99999/",
        "'http://é%00/'",
        '""',
        "http://x/%00%0a",
    ],
)
async def test_a_url_cannot_add_to_the_request(proxied, url):
    status, out, err = await ssh(proxied, f"probe '{url}'")
    assert status in (1, 2)
    assert "Evil" not in out.replace("%0D%0AEvil", "")
    assert "\x00" not in out + err


async def test_what_may_be_different_for_others_is_told(proxied):
    _, out, _ = await ssh(proxied, f"probe https://{host('tied')}")
    assert "without TLS" in out
    assert "others get 404" in out
    assert "a client with the cookie" in out


SHOP, LATE, OWN = "shop.example.com", "late.example.com", "own.example.com"


def answers_once(end, sock):
    """TLS, one answer, and the end."""
    with end.context.wrap_socket(sock, server_side=True) as within:
        end.hold(within)
        within.recv(65536)
        within.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nown")


@pytest.fixture(scope="module")
def sealed(fakes, tmp_path_factory):
    """One that has HTTPS, and sends plain HTTP there; the TLS of one host is its endpoint's own."""
    folder = tmp_path_factory.mktemp("sealed")
    authority, certs = Authority(folder), folder / "certs"
    certs.mkdir()
    authority.write(certs, "shop", SHOP)
    for end, pem in zip(("crt", "key"), authority.issue(LATE, expired=True), strict=True):
        (certs / f"late.{end}").write_bytes(pem)
    key = asyncssh.generate_private_key("ssh-ed25519")
    key.write_private_key(folder / "good")
    (folder / "good").chmod(0o600)
    made, own = Origin(fakes, respond()).start(), FarEnd(answers_once)
    moved = Origin(
        fakes, respond(b"HTTP/1.1 308 Permanent Redirect\r\nLocation: https://other.example/\r\nContent-Length: 0\r\n\r\n")
    ).start()
    own.context = tls(*authority.issue(OWN), folder)
    members = [
        Member("app", made.port, {"haystack.host": f"{SHOP},{LATE},bare.example.com", "haystack.https": "redirect"}),
        Member("moved", moved.port),
        Member("own", own.port, {"haystack.host": OWN, "haystack.https": "passthrough"}),
    ]
    public = key.export_public_key().decode()
    with Haystack(members, HAYSTACK_SSH_AUTHORIZED_KEYS=public, HAYSTACK_CERTS=str(certs)) as haystack:
        ports = haystack.wait("ready")
        yield SimpleNamespace(port=ports["ssh"], keys=folder, http=ports["http"], https=ports["https"])
    made.stop()
    moved.stop()
    own.close()


async def probed(of, words):
    """Status, and the lines by what they begin with."""
    status, out, err = await ssh(of, f"probe {words}")
    assert err == ""
    found = {}
    for line in out.splitlines():
        found.setdefault(line[:10].strip(), []).append(line[10:])
    return status, found


async def test_a_url_of_https_is_asked_within_tls(sealed):
    status, told = await probed(sealed, f"https://{SHOP}/x")
    assert (status, told["listener"]) == (0, [f"https, 127.0.0.1:{sealed.https}"])
    assert told["tls"][0].startswith(f"TLSv1.3, certificate for {SHOP}, by ")
    assert re.search(r", valid until \d{4}-\d\d-\d\d \d\d:\d\d UTC$", told["tls"][0])
    assert told["status"] == ["200 OK, 2B of body"]
    assert "handshake" in told["client"][0]
    assert "without TLS" not in str(told)
    assert "clients refuse" not in str(told)


async def test_json_has_the_tls(sealed):
    found = json.loads((await ssh(sealed, f"probe https://{SHOP} --json"))[1])
    assert (found["status"], found["tls"]["version"], found["tls"]["certificate"]["names"]) == (200, "TLSv1.3", [SHOP])
    assert 0 < found["connected"] < found["sealed"] < found["first"]
    found = json.loads((await ssh(sealed, f"probe http://{SHOP} --json"))[1])
    assert (found["status"], found["tls"], found["sealed"]) == (308, None, 0)


async def test_a_url_that_is_sent_to_https_says_what_to_probe(sealed):
    status, told = await probed(sealed, f"http://{SHOP}/x")
    assert (status, told["status"][0][:3], told["endpoint"]) == (1, "308", ["none"])
    assert any(f"probe https://{SHOP}" in note for note in told["note"])


async def test_an_endpoint_that_sends_elsewhere_does_so_itself(sealed):
    status, told = await probed(sealed, f"http://{host('moved')}/")
    assert (status, told["status"][0][:3]) == (0, "308")
    assert told["endpoint"][0].startswith("movedx")
    assert "Haystack sends plain HTTP to HTTPS" not in str(told)


async def test_plain_http_to_a_host_whose_tls_is_passed_through_is_no_answer_of_its_endpoint(sealed):
    status, told = await probed(sealed, f"http://{OWN}/")
    assert (status, told["status"][0][:3], told["endpoint"]) == (1, "308", ["none"])


async def test_what_clients_have_against_a_certificate_is_told(sealed):
    status, told = await probed(sealed, f"https://{LATE}/")
    assert status == 0
    assert any(note.startswith("clients refuse the certificate: it expired on ") for note in told["note"])


async def test_a_name_without_a_certificate_fails_at_the_handshake(sealed):
    status, told = await probed(sealed, "https://bare.example.com/")
    assert (status, told["failed"]) == (1, ["TLS: tlsv1 unrecognized name"])
    assert "tls" not in told


async def test_a_port_of_https_that_is_not_haystacks_own_is_told(sealed):
    _, told = await probed(sealed, f"https://{SHOP}:8443/")
    assert told["listener"] == [f"https, 127.0.0.1:{sealed.https}, for no listener of https is on port 8443"]


async def test_tls_that_is_passed_through_is_the_endpoints_own(sealed):
    status, told = await probed(sealed, f"https://{OWN}/")
    assert status == 0
    assert told["tls"][0].startswith(f"TLSv1.3, certificate for {OWN}, by ")
    assert told["inside"] == ["not known: the TLS is passed through to the endpoint, and the worker reads nothing of it"]
    assert told["status"][0].startswith("200 ")

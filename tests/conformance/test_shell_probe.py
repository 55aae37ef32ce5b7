"""`probe` with OpenSSH's client, through a real proxy: each phase, failures, and that it reaches nobody but this Haystack."""

import asyncio
import json
import os
from types import SimpleNamespace

import asyncssh
import pytest

from tests.fakes.origin import Origin, refused_port, respond
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

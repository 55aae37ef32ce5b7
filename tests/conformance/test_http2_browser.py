"""A real Chromium over HTTPS: it chooses HTTP/2, and its WebSockets share the connection of their page (RFC 8441)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.test_http2_websocket import accepted
from tests.fakes.browser import chromium, go
from tests.fakes.interfaces import undisturbed
from tests.fakes.origin import Call, Loop, Origin
from tests.fakes.pki import Authority
from tests.fakes.worker import Haystack, Member, host, until

pytestmark = pytest.mark.untraced
WEB = host("web")
PAGE = b"""<!doctype html><title>a page</title><img src="/one"><img src="/two"><script>
const said = [];
async function talk(count) {
  const socket = new WebSocket(`wss://${location.host}/chat`, "chat");
  await new Promise((done, failed) => { socket.onopen = done; socket.onerror = failed; });
  for (let n = 0; n < count; n++) {
    const heard = new Promise(done => { socket.onmessage = event => done(event.data); });
    socket.send("hello " + n);
    said.push(await heard);
  }
  const closed = new Promise(done => { socket.onclose = event => done(event.code); });
  socket.close(1000);
  return [said.join(), await closed, socket.protocol];
}
</script>"""


async def frames(call: Call) -> None:
    """Say back each message, and its close (RFC 6455, section 5)."""
    await call.send(accepted(call))
    call.keep = False
    while True:
        kind, size = await call.reader.readexactly(2)
        assert size & 0x80, "a client masks"
        mask, data = await call.reader.readexactly(4), await call.reader.readexactly(size & 0x7F)
        text = bytes(byte ^ mask[at % 4] for at, byte in enumerate(data))
        await call.send(bytes([kind, len(text)]) + text)
        if kind & 0x0F == 8:  # close
            return


async def site(call: Call) -> None:
    if call.request.fields("upgrade"):
        return await frames(call)
    await call.body()
    await asyncio.sleep(0)
    body, kind = (PAGE, b"text/html") if call.request.line.startswith("GET / ") else (b"", b"image/png")
    await call.send(b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n" % (kind, len(body)) + body)
    return None


@pytest.fixture
def served(tmp_path: Path, fakes: Loop) -> Iterator[tuple[Haystack, Origin, Path]]:
    (tmp_path / "certs").mkdir()
    Authority(tmp_path).write(tmp_path / "certs", "web", WEB)
    origin = Origin(fakes, site).start()
    log = tmp_path / "access.log"
    settings = {"HAYSTACK_CERTS": str(tmp_path / "certs"), "HAYSTACK_ACCESS_LOG": "json"}
    with log.open("wb") as out, Haystack([Member("web", origin.port)], out=out, **settings) as haystack:
        yield haystack, origin, log
    origin.stop()


def test_a_page_and_its_websocket_share_one_connection(served: tuple[Haystack, Origin, Path]) -> None:
    haystack, origin, log = served
    port = int(haystack.wait("ready")["https"])

    def lines() -> list[dict[str, Any]]:
        return [line for line in map(json.loads, log.read_text().splitlines()) if line["service"] == WEB]

    # the certificate is of an authority that Chromium does not know
    with chromium("--ignore-certificate-errors", f"--host-resolver-rules=MAP {WEB} 127.0.0.1") as browser:
        page = browser.new_page(ignore_https_errors=True)

        def visit() -> None:
            go(page, f"https://{WEB}:{port}/")
            assert page.evaluate("performance.getEntriesByType('navigation')[0].nextHopProtocol") == "h2"
            assert page.evaluate("talk(3)") == ["hello 0,hello 1,hello 2", 1000, "chat"]

        talks = undisturbed(visit)  # else Chromium gives its connections up, and the WebSocket's own one is of HTTP/1.1
    until(lambda: sum(line["target"] == "/chat" for line in lines()) == talks, 10, "it is not in the log")
    *_, first, chat = (line for line in lines() if line["target"] in ("/", "/chat"))
    assert (first["target"], chat["target"]) == ("/", "/chat")
    assert {line["version"] for line in lines()[lines().index(first) :]} == {"2"}
    assert (chat["status"], chat["method"]) == (101, "GET")
    *_, asked = (request for request in origin.requests if "/chat" in request.line)
    assert asked.fields("upgrade") == ["websocket"]
    assert asked.fields("origin") == [f"https://{WEB}:{port}"]

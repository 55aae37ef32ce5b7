"""Checks within TLS: what a good endpoint gives, and in which words each flaw is told."""

from __future__ import annotations

import asyncio
import ssl

import pytest
import uvloop

from haystack.health.endpoint_tls import Seal, Sealer, Unsealed
from haystack.health.failure_texts import REFUSED, Answered
from haystack.health.http_check import ask
from haystack.health.tcp_check import accepts
from tests.fakes.origin import Loop, Origin, respond
from tests.fakes.pki import Authority, self_signed, server_context
from tests.fakes.tls import trusting

REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


@pytest.fixture
def fakes():
    loop = Loop()
    yield loop
    loop.close()


@pytest.fixture
def checked(fakes):
    """What both checks say of a server with this context (None: it speaks no TLS), on the loop that the control process runs."""
    started: list[Origin] = []

    async def look(port: int, sealer: Sealer) -> tuple[str, tuple[int, str]]:
        return await accepts("127.0.0.1", port, 1, sealer), await ask("127.0.0.1", port, REQUEST, 1, sealer)

    def check(context: ssl.SSLContext | None, sealer: Sealer) -> tuple[str, tuple[int, str]]:
        started.append(Origin(fakes, respond(b"HTTP/1.1 204 No\r\n\r\n"), tls=context).start())
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(look(started[-1].port, sealer))

    yield check
    for origin in started:
        origin.stop()


def test_a_good_one(authority, checked):
    seal = Seal(trusting(authority.path), "db.internal", "https")
    assert checked(server_context(*authority.issue("db.internal")), lambda: seal) == ("", (204, ""))


@pytest.mark.parametrize(
    ("names", "expired", "told"),
    [(("other",), False, "certificate is not valid for 'db.internal'"), (("db.internal",), True, "certificate has expired")],
)
def test_a_bad_certificate_is_told(authority, checked, names, expired, told):
    seal = Seal(trusting(authority.path), "db.internal", "https")
    found, (status, why) = checked(server_context(*authority.issue(*names, expired=expired)), lambda: seal)
    assert (told in found, told in why, status) == (True, True, 0), (found, why)
    assert isinstance(found, Answered)


def test_who_speaks_no_tls_is_told(authority, checked):
    seal = Seal(trusting(authority.path), "db.internal", "https")
    found, (_, why) = checked(None, lambda: seal)
    assert found == why == "does not answer"  # it waits for a line to end


def test_one_that_is_nobody_knows(authority, checked):
    seal = Seal(trusting(authority.path), "x", "https")
    found, _ = checked(server_context(*self_signed("x", names=("x",))), lambda: seal)
    assert found.startswith("has a certificate that is not accepted: self")


def test_h2_has_to_be_chosen(authority, checked):
    context, client = server_context(*authority.issue("x")), trusting(authority.path)
    client.set_alpn_protocols(["h2"])
    seal = Seal(client, "x", "h2")
    assert checked(context, lambda: seal)[0] == "does not speak TLS as it should: it does not choose h2 by ALPN"
    context.set_alpn_protocols(["h2"])
    assert checked(context, lambda: seal)[0] == ""


def test_where_nobody_is_trusted_nobody_is_asked(checked):
    assert checked(None, lambda: Unsealed("no CA")) == ("no CA", (0, "no CA"))


async def test_nobody_listens_and_nobody_answers(authority):
    seal = Seal(trusting(authority.path), "x", "https")
    said: list[asyncio.StreamWriter] = []
    silent = await asyncio.start_server(lambda _, writer: said.append(writer), "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    assert await accepts("127.0.0.1", port, 0.2, lambda: seal) == "does not answer"
    for writer in said:
        writer.close()
    silent.close()
    await silent.wait_closed()
    assert await accepts("127.0.0.1", port, 5, lambda: seal) == REFUSED

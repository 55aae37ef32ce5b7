"""Who answers at an address: asked by real sockets, as an authority asks for http-01 and for tls-alpn-01."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from haystack.settings.settings import load
from haystack.tls.acme import who_answers
from haystack.tls.acme.orders import Proof
from haystack.tls.acme.solvers import AlpnChallenges
from haystack.tls.acme.start import Acme, House
from haystack.tls.acme.who_answers import Heard, over_http, over_tls
from haystack.tls.store import Store
from tests.fakes.pki import self_signed, server_context

NAME = "www.example.com"
PROOF = Proof(NAME, "token", "token.thumb")
HERE = "127.0.0.1"


async def heard() -> None:
    pass


@pytest.fixture
def store() -> Store:
    return Store()


@contextlib.asynccontextmanager
async def at(monkeypatch: pytest.MonkeyPatch, port: str, answer, context=None) -> AsyncIterator[None]:
    """Somebody listens at what is taken for this port."""
    server = await asyncio.start_server(answer, HERE, 0, ssl=context)
    monkeypatch.setattr(who_answers, port, server.sockets[0].getsockname()[1])
    async with server:
        yield


def http(text: str):
    async def answer(stream, out):
        asked = (await stream.readuntil(b"\r\n\r\n")).decode()
        assert asked.startswith("GET /.well-known/acme-challenge/token HTTP/1.1\r\nHost: www.example.com\r\n")
        out.write(f"HTTP/1.1 200 OK\r\n\r\n{text}".encode())
        out.close()

    return answer


@pytest.mark.parametrize(("text", "who"), [("token.thumb", Heard.US), ("token", Heard.ANOTHER)])
async def test_over_http_it_is_told_by_what_is_answered(monkeypatch, text, who):
    async with at(monkeypatch, "HTTP_PORT", http(text)):
        assert await over_http(HERE, PROOF) is who


class Shows:
    """A server that shows what the store has for `acme-tls/1` of a name, as workers do, else a certificate of its own."""

    def __init__(self, store: Store) -> None:
        self.context = server_context(*self_signed("nobody"))
        self.context.set_alpn_protocols(["acme-tls/1"])
        self.context.sni_callback = self._choose
        self._store = store

    def _choose(self, connection, name, _context):
        self._store.publish()
        if (found := self._store.picture.challenges.get(name)) is not None:
            connection.context = server_context(found.chain, found.key)
            connection.context.set_alpn_protocols(["acme-tls/1"])

    @staticmethod
    async def closes(_stream, out):
        out.close()


async def test_over_tls_it_is_told_by_the_certificate_that_is_shown(monkeypatch, store):
    challenges, shows = AlpnChallenges(store.challenge, heard), Shows(store)
    async with at(monkeypatch, "TLS_PORT", shows.closes, shows.context):
        assert await over_tls(HERE, PROOF) is Heard.ANOTHER
        await challenges.show(PROOF)
        assert await over_tls(HERE, PROOF) is Heard.US
        assert await over_tls(HERE, Proof(NAME, "token", "token.other")) is Heard.ANOTHER
    async with at(monkeypatch, "TLS_PORT", shows.closes):
        assert await over_tls(HERE, PROOF) is not Heard.US  # it speaks no TLS


@pytest.mark.parametrize(("ask", "port"), [(over_http, "HTTP_PORT"), (over_tls, "TLS_PORT")])
async def test_who_does_not_answer_is_not_waited_for_long(monkeypatch, ask, port):
    with socket.create_server((HERE, 0)) as silent:
        monkeypatch.setattr(who_answers, port, silent.getsockname()[1])
        monkeypatch.setattr(who_answers, "SECONDS", 0.2)
        assert await ask(HERE, PROOF) is Heard.NOBODY
    assert await ask(HERE, PROOF) is Heard.NOBODY


class World:
    async def addresses(self, _name):
        return (HERE,)


@pytest.mark.parametrize("challenges", ["tls-alpn-01", "tls-alpn-01,http-01", "dns-01,tls-alpn-01"])
async def test_where_tls_alpn_01_is_what_is_shown_port_443_is_asked(tmp_path: Path, monkeypatch, store, challenges):
    """As in a container of which port 443 alone is published: nobody answers at the other one, and the authority does not ask there."""
    with socket.create_server((HERE, 0)) as closed:
        monkeypatch.setattr(who_answers, "HTTP_PORT", closed.getsockname()[1])
    settings = load({"acme": "https://ca.example/dir", "acme_challenges": challenges, "state_dir": str(tmp_path)})
    unused = SimpleNamespace()
    house = House(store, unused, dict, lambda _pending: None, heard, World(), lambda: ("172.17.0.2",), lambda _problems: None, "one")
    shows = Shows(store)
    async with at(monkeypatch, "TLS_PORT", shows.closes, shows.context):
        assert await Acme(settings, house).issuer._ways.why_not(NAME) == ""

"""Certificates on the web side and in the shell: what is told of them, and that no key is."""

from __future__ import annotations

import dataclasses
import json

import httpx
import pytest

from haystack.api import proofs
from haystack.api.views import application
from haystack.console import shell
from haystack.console.command import Context
from haystack.tls import certificates
from haystack.tls.store import ACME, LOCAL, Store
from tests.fakes.pki import self_signed
from tests.fakes.state import state

ERROR = "no certificate: it is \x1b[31mred"


@pytest.fixture
async def shown():
    """A state with a certificate, one whose renewal fails, and a name that has none."""
    store = Store()
    chain, key = self_signed("me", names=("www.example.com", "example.com"))
    store.put(ACME, "www", certificates.read(chain, key), 1234.5)
    chain, key = self_signed("me", names=("*.services.haystack",))
    store.put(LOCAL, "own", certificates.read(chain, key))
    store.fail(LOCAL, "own", "it failed")
    store.fail(ACME, "bad.example.com", ERROR, 99.0)
    store.publish()
    return dataclasses.replace(state(), certificates=store, ca=b"-----BEGIN CERTIFICATE-----\nx\n")


async def ask(of, path, app=None, **headers):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app or application(of)), base_url="http://haystack") as client:
        return await client.get(path, headers=headers)


async def test_each_certificate_is_told_and_each_name_that_has_none(shown):
    answer = await ask(shown, "/api/certificates")
    bad, www, own = answer.json()
    assert (bad["names"], bad["not_after"], bad["issuer"], bad["last_error"]) == (["bad.example.com"], None, None, ERROR)
    assert (www["names"], www["source"], www["next_renewal"], www["last_error"]) == (
        ["www.example.com", "example.com"],
        "acme",
        1234.5,
        None,
    )
    assert www["not_before"] < www["not_after"]
    assert (own["source"], own["next_renewal"], own["last_error"]) == ("local", None, "it failed")
    assert "PRIVATE" not in answer.text


async def test_without_any_the_list_is_empty():
    assert (await ask(state(), "/api/certificates")).json() == []


async def test_the_own_authority_is_handed_out(shown):
    answer = await ask(shown, "/ca.pem")
    assert (answer.headers["content-type"], answer.content) == ("application/x-pem-file", shown.ca)
    assert shell.run(shown, ["ca"]).text == "-----BEGIN CERTIFICATE-----\nx"


async def test_where_there_is_none_it_is_told():
    assert (await ask(state(), "/ca.pem")).status_code == 404
    assert shell.run(state(), ["ca"]).status == 1
    assert "HAYSTACK_ACME" in shell.run(state(), ["certs"]).text


@pytest.mark.parametrize("width", [None, 40, 80, 200])
async def test_the_shell_shows_them_in_any_terminal_and_no_control_sequence(shown, width):
    text = shell.run(shown, ["certs"], Context(width=width)).text
    assert "bad.example.com" in text
    assert "\x1b" not in text
    assert all(len(line) <= (width or 1000) for line in text.splitlines())


async def test_the_shell_shows_those_that_hold_a_text_and_json(shown):
    assert "example.com" not in shell.run(shown, ["certs", "local"]).text
    assert [each["names"] for each in json.loads(shell.run(shown, ["certs", "--json", "bad"]).text)] == [["bad.example.com"]]


async def test_an_authority_finds_what_is_pending_and_nothing_else():
    pending = {("www", "tok"): "tok.x"}
    app = proofs.application(lambda host, token: pending.get((host, token)))
    path = "/.well-known/acme-challenge/"
    good = await ask(None, path + "tok", app, host="www")
    assert (good.status_code, good.text, good.headers["content-type"]) == (200, "tok.x", "application/octet-stream")
    for host, at in (("other", path + "tok"), ("www", path + "tik"), ("www", path), ("www", "/"), ("www", path + "tok/x"), ("www", "/ui")):
        assert (await ask(None, at, app, host=host)).status_code == 404

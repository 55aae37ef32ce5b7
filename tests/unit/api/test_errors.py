"""Refusals of the web side, in the form that the client prefers: by the rules of the workers' own answers."""

from __future__ import annotations

import json

import httpx
import pytest

from haystack.api import errors, streamed
from haystack.api.feed import Feed
from haystack.api.views import application
from tests.conformance.test_proxy_answers import ACCEPTED, BROWSER, FORMS
from tests.fakes.state import state

HTML, JSON, TEXT = FORMS["html"], FORMS["json"], FORMS["text"]


async def ask(path: str, accept: str | None, method: str = "GET", of: object = None, **headers: str) -> httpx.Response:
    transport = httpx.ASGITransport(app=of or application(state()))
    async with httpx.AsyncClient(transport=transport, base_url="http://haystack") as client:
        del client.headers["accept"]
        return await client.request(method, path, headers={**({"Accept": accept} if accept is not None else {}), **headers})


@pytest.mark.parametrize(("field", "form"), ACCEPTED.values(), ids=ACCEPTED.keys())
def test_the_form_is_that_of_the_workers_own_answers(field: bytes, form: str) -> None:
    values = [line.partition(b":")[2].strip().decode("latin-1") for line in field.split(b"\r\n") if line]
    assert errors.preferred(",".join(values)) == FORMS[form]


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [("/nowhere", "GET", 404), ("/metrics", "POST", 405), ("/ui/nothing.js", "GET", 404), ("/ca.pem", "GET", 404)],
)
@pytest.mark.parametrize(
    ("accept", "form"), [(BROWSER.decode().partition(": ")[2].strip(), HTML), ("application/json", JSON), ("*/*", TEXT), (None, TEXT)]
)
async def test_browsers_programs_and_others_each_get_theirs(path: str, method: str, status: int, accept: str | None, form: str) -> None:
    answer = await ask(path, accept, method, **{"X-Request-Id": "<b>"})
    assert (answer.status_code, answer.headers["content-type"], answer.headers["vary"]) == (status, form, "Accept")
    assert answer.headers["cache-control"] == "no-store"
    assert ("allow" in answer.headers) == (status == 405)
    title = {404: "Not Found", 405: "Method Not Allowed"}[status]
    if form == JSON:
        told = answer.json()
        assert (told["title"], told["status"], told["error"], told["request_id"], told["instance"]) == (
            title,
            status,
            title,
            "<b>",
            "%3Cb%3E",
        )
    else:
        assert f"{status} {title}" in answer.text
        assert ("<b>" in answer.text) == (form == TEXT)


@pytest.mark.parametrize("accept", ["*/*", None, "application/json"])
async def test_an_address_that_is_json_is_json_where_nothing_else_is_preferred(accept: str | None) -> None:
    answer = await ask("/api/explain", accept)
    assert (answer.status_code, answer.headers["content-type"]) == (400, JSON)
    told = answer.json()
    assert told["detail"] == told["error"] == "url is missing: /api/explain?url=\u2026"
    assert (await ask("/api/explain", "text/plain, */*;q=0.1")).text == "400 Bad Request: url is missing: /api/explain?url=\u2026\n"
    assert "<p>Url is missing: " in (await ask("/api/explain", "text/html,*/*;q=0.8")).text


@pytest.mark.parametrize("path", ["/api/info", "/metrics", "/api/events"])
async def test_too_many_at_once_are_told_so_in_that_form_too(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    there = state()
    monkeypatch.setattr(streamed.Streams, "__init__", lambda self, _most=0: self.__dict__.update(most=0, running=0))
    of = application(there, Feed(there))
    answer = await ask(path, "application/json", of=of)
    assert (answer.status_code, answer.headers["retry-after"], answer.headers["content-type"]) == (503, "1", JSON)
    assert json.loads(answer.text)["detail"].startswith("too many ")
    assert (await ask(path, "text/plain", of=of)).text.startswith("503 Service Unavailable: too many ")


async def test_nothing_of_a_client_is_markup() -> None:
    answer = await ask("/api/dns?name=x", "text/html", **{"X-Request-Id": "<script>", "Sec-Fetch-Site": "cross-site"})
    assert (answer.status_code, "<script" in answer.text) == (403, False)
    assert answer.headers["content-security-policy"] == "default-src 'none'"

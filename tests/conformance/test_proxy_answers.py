"""Answers of Haystack's own come in the form that a client asks for (RFC 9110, section 12.5.1), with the request's id."""

from __future__ import annotations

import json
import re
from urllib.parse import unquote

import pytest

from tests.fakes.origin import respond_and_close
from tests.fakes.worker import Site

BROWSER = b"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8\r\n"
MARKUP = "<script>alert(1)</script>"
FORMS = {"html": "text/html; charset=utf-8", "json": "application/problem+json", "text": "text/plain; charset=utf-8"}

ACCEPTED = {
    "a browser": (BROWSER, "html"),
    "curl": (b"Accept: */*\r\n", "text"),
    "nothing": (b"", "text"),
    "json": (b"Accept: application/json\r\n", "json"),
    "problem details": (b"ACCEPT: Application/Problem+JSON\r\n", "json"),
    "a script's list": (b"Accept: application/json, text/plain, */*\r\n", "json"),
    "a lighter json": (b"Accept: application/json;q=0.5, text/html\r\n", "html"),
    "two fields": (b"Accept: image/png\r\nAccept: text/html\r\n", "html"),
    "what is refused": (b"Accept: text/html;q=0, */*\r\n", "text"),
    "a wildcard before what is named": (b"Accept: */*, application/json\r\n", "json"),
    "no number": (b"Accept: text/html;q=a, image/*\r\n", "text"),
    "not a number": (b"Accept: text/html;q=nan, application/json;q=1e0\r\n", "text"),
    "too much": (b"Accept: application/json;q=2, text/html;q=0.5\r\n", "html"),
    "the same weight": (b"Accept: application/json, text/html\r\n", "json"),
    "blanks and a parameter": (b"Accept: text/plain ; q=0.1 ,\ttext/html;level=1 ; Q=0.2\r\n", "html"),
    "noise": (b"Accept: ,;=/,q=1;;*,\xff\r\n", "text"),
    "too long": (b"Accept: " + b"a/b," * 1100 + b"text/html\r\n", "text"),
    "another": (b"Accept: image/png\r\n", "text"),
}


@pytest.mark.parametrize(("field", "form"), ACCEPTED.values(), ids=ACCEPTED.keys())
def test_a_name_that_is_not_there_is_told_in_the_form_that_is_asked_for(site: Site, field: bytes, form: str) -> None:
    """RFC 9110, section 12.5.1."""
    with site.client() as client:
        response = client.get("nobody.example", "/", field)
    assert (response.status, response.get("Content-Type"), response.get("Vary")) == (404, FORMS[form], "Accept")


@pytest.mark.parametrize("field", [BROWSER, b"Accept: application/json\r\n", b""])
def test_every_form_tells_the_id_of_the_request_and_the_reason(site: Site, field: bytes) -> None:
    with site.client() as client:
        made = client.get("nobody.example", "/", field)
        brought = client.get("nobody.example", "/", field + b"X-Request-Id: mine-1\r\n")
    assert re.fullmatch("[0-9a-f]{32}", made.get("X-Request-Id") or "")
    assert (made.get("X-Request-Id") or "") in made.body.decode()
    assert brought.get("X-Request-Id") == "mine-1"
    assert "mine-1" in brought.body.decode()
    assert "no service has this host name and path" in brought.body.decode().lower()


def test_problem_details_have_their_members(site: Site) -> None:
    """RFC 9457, section 3.1."""
    with site.client() as client:
        response = client.get("nobody.example", "/", b"Accept: application/json\r\nX-Request-Id: mine\r\n")
    assert json.loads(response.body) == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "no service has this host name and path",
        "instance": "mine",
        "error": "destination_not_found",
        "request_id": "mine",
    }


@pytest.mark.parametrize(("field", "escaped"), [(BROWSER, "&lt;script&gt;"), (b"Accept: application/json\r\n", MARKUP)])
def test_what_a_client_says_of_itself_is_no_markup(site: Site, field: bytes, escaped: str) -> None:
    with site.client() as client:
        response = client.get("nobody.example", "/", field + b"X-Request-Id: " + MARKUP.encode() + b'"\\\r\n')
    assert escaped in response.body.decode()
    if field == BROWSER:
        assert "<script" not in response.body.decode()
    else:
        told = json.loads(response.body)
        assert (told["request_id"], unquote(told["instance"])) == (MARKUP + '"\\', MARKUP + '"\\')
        assert re.fullmatch(r"[\w.~%-]+", told["instance"])


def test_an_answer_that_comes_late_has_that_form_too(site: Site) -> None:
    """The endpoint has read the whole request, and then breaks: the answer still knows who asked."""
    name, _ = site.one(respond_and_close())
    with site.client() as client:
        response = client.get(name, "/", b"Accept: application/json\r\nX-Request-Id: late\r\n")
    assert response.status == 502
    assert json.loads(response.body)["request_id"] == "late"


def test_head_has_the_fields_of_get_and_no_body(site: Site) -> None:
    """RFC 9110, section 9.3.2."""
    with site.client() as client:
        got = client.get("nobody.example", "/", BROWSER + b"X-Request-Id: same\r\n")
        response = client.get("nobody.example", "/", BROWSER + b"X-Request-Id: same\r\n", "HEAD")
        assert (response.body, response.get("Content-Length")) == (b"", got.get("Content-Length"))
        assert client.get("nobody.example").status == 404


def test_an_error_is_kept_by_no_cache(site: Site) -> None:
    """A 404 may be kept without a word (RFC 9111, section 4.2.2), and the name may be there in a second."""
    with site.client() as client:
        assert client.get("nobody.example").get("Cache-Control") == "no-store"


def test_a_head_that_can_not_be_read_is_answered_in_text(site: Site) -> None:
    with site.client() as client:
        response = client.send(b"GET / HTTP/1.1\r\nAccept: text/html\r\nbad line\r\n\r\n").response()
    assert (response.status, response.get("Content-Type"), response.get("X-Request-Id")) == (400, FORMS["text"], None)

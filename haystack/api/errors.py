"""What the web side answers instead of what was asked for, in the form that the request's Accept prefers (docs/answers.md).

HTML for browsers, problem details (RFC 9457) for programs, a line of text for others; of an address that is JSON anyway, who has no
preference gets problem details too. The rules are those of the workers' own answers (_fast/http1/local_reply.pyx): a test holds the two
against each other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from html import escape
from http import HTTPStatus
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Scope

from haystack.views import shapes

HTML, JSON, TEXT = "text/html; charset=utf-8", "application/problem+json", "text/plain; charset=utf-8"
# media range → its form, and whether it names that one
RANGES = {
    "text/html": (HTML, True), "application/xhtml+xml": (HTML, True),
    "application/json": (JSON, True), "application/problem+json": (JSON, True), "application/*": (JSON, False),
    "text/plain": (TEXT, True), "text/*": (TEXT, False),
}  # fmt: skip
ANY = "*/*"
MOST_ACCEPT = 4096  # characters that are read of it
OF_PROGRAMS = ("/api/", "/openapi.json")  # addresses that are JSON
HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Vary": "Accept",
    "Content-Security-Policy": "default-src 'none'",
}
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
</head>
<body>
<h1>{title}</h1>
{more}
</body>
</html>
"""
_QVALUE = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")


def refused(scope: Scope, status: int, reason: str, headers: Mapping[str, str] | None = None) -> Response:
    """Such a status with its reason in words. headers: more of them."""
    asked = Headers(scope=scope)
    usual = JSON if str(scope["path"]).startswith(OF_PROGRAMS) else TEXT
    form = preferred(",".join(asked.getlist("accept")), usual)
    body = BODIES[form](status, reason, asked.get("x-request-id", ""))
    return Response(body, status, {**HEADERS, **(headers or {}), "Content-Type": form})


def preferred(accept: str, usual: str = TEXT) -> str:
    """The form with the most weight (RFC 9110, section 12.5.1); of equal ones what is named before a wildcard, then the first."""
    found, best = usual, (0.0, False)
    for element in accept[:MOST_ACCEPT].lower().split(","):
        media, _, parameters = element.partition(";")
        form, named = (usual, False) if media.strip() == ANY else RANGES.get(media.strip(), ("", False))
        rank = (_weight(parameters), named)
        if form and rank[0] > 0 and rank > best:
            best, found = rank, form
    return found


def _weight(parameters: str) -> float:
    """Its q, 1 where there is none, 0 where it is not one (RFC 9110, section 12.4.2)."""
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            return float(value.strip()) if _QVALUE.fullmatch(value.strip()) else 0.0
    return 1.0


def _title(status: int) -> str:
    return HTTPStatus(status).phrase


def _text(status: int, reason: str, identity: str) -> bytes:
    said = f": {reason}" if reason != _title(status) else ""
    return f"{status} {_title(status)}{said}{f' (request {identity})' if identity else ''}\n".encode()


def _page(status: int, reason: str, identity: str) -> bytes:
    lines = [f"<p>{escape(reason[:1].upper() + reason[1:])}.</p>"] if reason != _title(status) else []
    lines += [f"<p><small>Request {escape(identity)}</small></p>"] if identity else []
    return PAGE.format(title=f"{status} {_title(status)}", more="\n".join(lines)).encode()


def _problem(status: int, reason: str, identity: str) -> bytes:
    """error: the reason, or the title where there is no other; who reads /api has always had it."""
    told: dict[str, object] = {"type": "about:blank", "title": _title(status), "status": status, "error": reason}
    told |= {"detail": reason} if reason != _title(status) else {}
    told |= {"instance": quote(identity, safe=""), "request_id": identity} if identity else {}
    return shapes.encode(told) + b"\n"


BODIES: Mapping[str, Callable[[int, str, str], bytes]] = {HTML: _page, JSON: _problem, TEXT: _text}

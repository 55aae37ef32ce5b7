"""The files of the page (haystack/ui): read once, away from the event loop, and kept as they are and compressed.

They run and load nothing but each other: no script or style of another origin, or within the HTML, and no text of others as HTML.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from haystack.api.streamed import has

INDEX = "index.html"
KINDS = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
HEADERS = {
    "Cache-Control": "no-cache",  # a browser asks each time whether it has the newest: a newer Haystack has another page
    "Content-Security-Policy": "default-src 'none'; connect-src 'self'; img-src 'self'; script-src 'self'; style-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept-Encoding",
    "X-Content-Type-Options": "nosniff",
}


class File(NamedTuple):
    """One of them. tag: an entity tag without its quotes."""

    kind: str
    tag: str
    plain: bytes
    packed: bytes


@cache
def files() -> Mapping[str, File]:
    """By name. Reads and compresses them all: some milliseconds, so not on the event loop."""
    found = {}
    for each in resources.files("haystack").joinpath("ui").iterdir():
        kind = KINDS.get(each.name.rpartition(".")[2])
        if kind is not None:
            plain = each.read_bytes()
            found[each.name] = File(kind, hashlib.sha256(plain).hexdigest()[:20], plain, gzip.compress(plain, mtime=0))
    return found


async def serve(request: Request) -> Response:
    """The file that the address names; of none, the page itself. Raises HTTPException where there is no such."""
    file = (await asyncio.to_thread(files)).get(request.path_params.get("name", INDEX))
    if file is None:
        raise HTTPException(404)
    packed = accepts_gzip(request.headers.get("accept-encoding", ""))
    tag = f'"{file.tag}-gzip"' if packed else f'"{file.tag}"'
    headers = {**HEADERS, "ETag": tag, **({"Content-Encoding": "gzip"} if packed else {})}
    if has(request.headers.get("if-none-match", ""), tag):
        return Response(None, 304, headers)
    return Response(file.packed if packed else file.plain, 200, headers, file.kind)


def accepts_gzip(field: str) -> bool:
    """Whether a field Accept-Encoding has gzip, or anything, and not with a weight of 0 (RFC 9110, section 12.5.3)."""
    weights = {}
    for each in field.lower().split(","):
        coding, _, weight = each.partition(";")
        weights[coding.strip()] = weight.replace(" ", "")
    found = weights.get("gzip", weights.get("*", "q=0"))
    return not found or found.removeprefix("q=").strip("0.") != ""

"""The two questions of the web side: which service answers a URL (/api/explain), and what DNS says of a name (/api/dns).

Read-only. A name may be asked of nameservers: those who may see the web side may have that done, so many at once, and no page of somebody
else's in their browsers.
"""

from __future__ import annotations

from http import HTTPStatus
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request

from haystack.api.streamed import BUSY
from haystack.loop.turns import in_turns
from haystack.views import explanation
from haystack.views import lookups as views
from haystack.views.lookup_answers import DnsAnswer, ExplainAnswer
from haystack.views.state import State

MOST = 16  # names that are asked for at once
LONGEST = 2048  # characters of a URL
LISTED = 100  # endpoints of an answer
FOREIGN = frozenset({"cross-site", "same-site"})


def _is_foreign(request: Request) -> bool:
    """Whether a page of another origin asks, as far as its browser says so: Sec-Fetch-Site comes over https and to localhost alone."""
    told, host = request.headers, request.headers.get("host", "")
    origins = [_authority(told[name]) for name in ("origin", "referer") if told.get(name)]
    return told.get("sec-fetch-site") in FOREIGN or any(origin != host for origin in origins)


def _authority(url: str) -> str | None:
    """Host and port; None: it is no URL, and nobody's own."""
    try:
        return urlsplit(url).netloc
    except ValueError:
        return None


class Lookups:
    """Over one state."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._asking = 0

    async def explain(self, request: Request) -> ExplainAnswer:
        """?url=: which service answers it, by which rule, with which endpoints. Raises HTTPException."""
        url = _parameter(request, "url")
        try:
            asked = explanation.read(url)
        except ValueError as error:
            raise HTTPException(HTTPStatus.BAD_REQUEST, f"url: {error}") from None
        return await in_turns(views.explained(self._state, asked, LISTED))

    async def dns(self, request: Request) -> DnsAnswer:
        """?name=&type=: what DNS says, as clients have it; type A where none is asked for. Raises HTTPException."""
        name, kind = _parameter(request, "name"), request.query_params.get("type", "A").upper()
        if _is_foreign(request):
            raise HTTPException(HTTPStatus.FORBIDDEN, "a page of another origin may not have names looked up")
        if self._asking >= MOST:
            raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, "too many names are being looked up", BUSY)
        self._asking += 1
        try:
            lines = await self._state.responder.resolve(name, kind, _local(request))
        finally:
            self._asking -= 1
        return views.resolved(name, kind, lines)


def _parameter(request: Request, name: str) -> str:
    """Raises HTTPException where it is missing or too long."""
    text = request.query_params.get(name, "").strip()
    if not text:
        raise HTTPException(HTTPStatus.BAD_REQUEST, f"{name} is missing: {request.url.path}?{name}=…")
    if len(text) > LONGEST:
        raise HTTPException(HTTPStatus.BAD_REQUEST, f"{name} is too long")
    return text


def _local(request: Request) -> str:
    """The address by which the client has reached Haystack, where it says so: names that lead to Haystack lead there."""
    host = urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
    try:
        return str(ip_address("127.0.0.1" if host == "localhost" else host))
    except ValueError:
        return ""

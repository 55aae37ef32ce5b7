"""What each address of the web side answers. Read-only: GET, HEAD and OPTIONS, and 405 for anything else.

Never changes anything: changing needs the shell, and so a key. Each answer is of one snapshot.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from haystack.api import events, openapi, static
from haystack.api.bodies import Bodies
from haystack.api.errors import refused
from haystack.api.events import EventStream
from haystack.api.feed import Feed
from haystack.api.lookups import Lookups
from haystack.api.pages import Page
from haystack.api.streamed import Streamed, Streams
from haystack.loop.turns import Turns, in_turns
from haystack.views import compressed, metrics, shapes
from haystack.views.exposition import CONTENT_TYPES, FORMATS, form_of, takes_gzip
from haystack.views.state import State

METHODS = ("GET", "HEAD", "OPTIONS")
ALLOW = {"Allow": ", ".join(METHODS)}
# Every answer is of this moment; a stored one would show containers that are gone.
FRESH = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

View = Callable[[Request], Awaitable[Response]]


def application(state: State, feed: Feed | None = None, listeners: int = events.MOST) -> Starlette:
    """The web side over this state. feed: of /api/events, to so many at once."""
    views = Views(state, feed or Feed(state), listeners)
    routes = [Route(path, guarded(view), methods=list(METHODS)) for path, view in views.table().items()]
    return Starlette(routes=routes, middleware=cors(state.settings.cors_origin), exception_handlers={HTTPException: refusal})


def cors(origin: str | None) -> list[Middleware]:
    """Cross-origin reading for the origins that the settings name (comma separated), and no others."""
    if not origin:
        return []
    origins = [word.strip() for word in origin.split(",") if word.strip()]
    return [Middleware(CORSMiddleware, allow_origins=origins, allow_methods=list(METHODS))]


def guarded(view: View) -> View:
    """The view, with OPTIONS answered in its stead (RFC 9110, section 9.3.7)."""

    async def endpoint(request: Request) -> Response:
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=ALLOW)
        return await view(request)

    return endpoint


async def refusal(request: Request, error: Exception) -> Response:
    """A refusal as the client wants it; a method that is not served names those that are (RFC 9110, section 15.5.6)."""
    if not isinstance(error, HTTPException):
        raise error
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers.update(ALLOW)
    return refused(request.scope, error.status_code, error.detail, headers)


def answer(shape: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON response."""
    return Response(shapes.encode(shape), status, {**FRESH, **(headers or {})}, "application/json")


def _json(ask: Callable[[Request], Awaitable[object]]) -> View:
    """The view that answers with what this makes."""

    async def view(request: Request) -> Response:
        return answer(await ask(request))

    return view


class Views:
    """One method an address; the long ones are pages, made in turns and streamed."""

    def __init__(self, state: State, feed: Feed, listeners: int) -> None:
        self._state = state
        self._feed, self._listening = feed, Streams(listeners)
        self._lookups = Lookups(state)
        bodies = Bodies(state)
        self._streams = Streams()
        self._figures = Figures(state)
        self._pages = {
            "/api/info": self._page(bodies.info, fresh=True),
            "/api/containers": self._page(bodies.containers),
            "/api/networks": self._page(bodies.networks),
            "/api/services": self._page(bodies.services),
            "/api/certificates": self._page(bodies.certificates),
        }

    def table(self) -> dict[str, View]:
        """Address → view."""
        own = {"/": self.root, "/healthz": self.healthz, "/readyz": self.readyz, "/api/events": self.events}
        looked_up = {"/api/explain": _json(self._lookups.explain), "/api/dns": _json(self._lookups.dns)}
        looked_up["/openapi.json"] = self.openapi
        return {
            **own,
            **looked_up,
            "/ui": static.serve,
            "/ui/{name}": static.serve,
            "/metrics": self.metrics,
            "/ca.pem": self.ca,
            **self._pages,
        }

    def _page(self, write: Callable[[], Turns[list[bytes]]], *, fresh: bool = False) -> View:
        """The view of a long page in JSON. fresh: with the workers' newest counters."""

        async def make() -> list[bytes]:
            if fresh:
                await self._state.refresh()
            return await in_turns(write())

        made = Page(make)

        async def view(_request: Request) -> Response:
            return Streamed(self._streams, made, {**FRESH, "Content-Type": "application/json"})

        return view

    async def metrics(self, request: Request) -> Response:
        """For Prometheus, in the format and encoding that the request asks for."""
        form = form_of(request.headers.get("accept", ""))
        gzip = takes_gzip(request.headers.get("accept-encoding", ""))
        headers = {**FRESH, "Content-Type": CONTENT_TYPES[form], "Vary": "Accept, Accept-Encoding"}
        if gzip:
            headers["Content-Encoding"] = "gzip"
        return Streamed(self._streams, self._figures.page(form, gzip=gzip), headers)

    async def root(self, _request: Request) -> Response:
        """To the page. Relative, for the port and scheme by which the client came are its own business."""
        return RedirectResponse("/ui", 307)

    async def openapi(self, _request: Request) -> Response:
        """What all of these answer, for programs."""
        return Response(await asyncio.to_thread(openapi.document), 200, FRESH, "application/json")

    async def events(self, _request: Request) -> Response:
        """All there is, and then each change of it."""
        return EventStream(self._listening, self._feed)

    async def ca(self, _request: Request) -> Response:
        """The certificate of Haystack's own authority: clients that have it trust names under ORIGIN."""
        if not self._state.ca:
            raise HTTPException(HTTPStatus.NOT_FOUND)
        return Response(self._state.ca, headers=FRESH, media_type="application/x-pem-file")

    async def healthz(self, _request: Request) -> Response:
        """That this process answers, and nothing more: a reason to restart it, not to withhold traffic."""
        return answer({"status": "ok"})

    async def readyz(self, _request: Request) -> Response:
        """Whether traffic may come: a source has listed and a worker runs. Troubles keep none away: what is known is served on."""
        reasons = self._state.unready()
        told = {"status": "unready" if reasons else "ready", "reasons": reasons, "troubles": self._state.ailing(public=True)}
        return answer(told, 503 if reasons else 200)


class Figures:
    """The page of /metrics: one for each format, plain and compressed. They share what is written of each endpoint."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._exposition = metrics.Exposition(state)
        self._gzip = {form: compressed.Gzip() for form in FORMATS}
        self._turn = asyncio.Lock()
        self._pages = {(form, gzip): Page(partial(self._make, form, gzip=gzip)) for form in FORMATS for gzip in (False, True)}

    def page(self, form: str, *, gzip: bool) -> Page:
        """One of them."""
        return self._pages[form, gzip]

    async def _make(self, form: str, *, gzip: bool) -> list[bytes]:
        await self._state.refresh()
        async with self._turn:
            pieces = await in_turns(self._exposition.pieces(form))
            return await in_turns(self._gzip[form].of(pieces) if gzip else compressed.chunks(pieces))

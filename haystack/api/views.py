"""What each address of the web side answers. Read-only: GET, HEAD and OPTIONS, and 405 for anything else.

Never changes anything: changing needs the shell, and so a key. Each answer is of one snapshot.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from haystack.api import page
from haystack.api.bodies import Bodies
from haystack.api.pages import Page
from haystack.api.streamed import Streamed, Streams
from haystack.loop.turns import Turns, in_turns
from haystack.views import metrics, shapes
from haystack.views.state import State

METHODS = ("GET", "HEAD", "OPTIONS")
ALLOW = {"Allow": ", ".join(METHODS)}
# Every answer is of this moment; a stored one would show containers that are gone.
FRESH = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

View = Callable[[Request], Awaitable[Response]]


def application(state: State) -> Starlette:
    """The web side over this state."""
    views = Views(state)
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


async def refusal(_request: Request, error: Exception) -> Response:
    """A refusal as JSON; a method that is not served names those that are (RFC 9110, section 15.5.6)."""
    if not isinstance(error, HTTPException):
        raise error
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers.update(ALLOW)
    return answer({"error": error.detail}, error.status_code, headers)


def answer(shape: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON response."""
    return Response(shapes.encode(shape), status, {**FRESH, **(headers or {})}, "application/json")


class Views:
    """One method an address; the long ones are pages, made in turns and streamed."""

    def __init__(self, state: State) -> None:
        self._state = state
        bodies, figures = Bodies(state), metrics.Exposition(state)
        self._streams = Streams()
        self._pages = {
            "/api/info": self._page(bodies.info, fresh=True),
            "/api/containers": self._page(bodies.containers),
            "/api/networks": self._page(bodies.networks),
            "/api/services": self._page(bodies.services),
            "/api/certificates": self._page(bodies.certificates),
            "/metrics": self._page(figures.pieces, metrics.CONTENT_TYPE, fresh=True),
        }

    def table(self) -> dict[str, View]:
        """Address → view."""
        return {"/": self.root, "/ui": self.ui, "/healthz": self.healthz, "/readyz": self.readyz, "/ca.pem": self.ca, **self._pages}

    def _page(self, write: Callable[[], Turns[list[bytes]]], kind: str = "application/json", *, fresh: bool = False) -> View:
        """The view of a long page. fresh: with the workers' newest counters."""

        async def make() -> list[bytes]:
            if fresh:
                await self._state.refresh()
            return await in_turns(write())

        made = Page(make)

        async def view(_request: Request) -> Response:
            return Streamed(self._streams, made, {**FRESH, "Content-Type": kind})

        return view

    async def root(self, _request: Request) -> Response:
        """To the page. Relative, for the port and scheme by which the client came are its own business."""
        return RedirectResponse("/ui", 307)

    async def ui(self, _request: Request) -> Response:
        """The page for people."""
        return HTMLResponse(page.PAGE, headers={**FRESH, **page.HEADERS})

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

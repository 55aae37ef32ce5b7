"""What everybody may know of Haystack: whether it is well. No reasons, no names.

Workers lead those here who may not see the web side (HAYSTACK_ADMIN_ALLOW): they reach no other page, for there is none.
"""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from haystack.api.views import METHODS, answer, guarded, refusal
from haystack.views.state import State


def application(state: State) -> Starlette:
    """/healthz and /readyz without details."""

    async def healthz(_request: Request) -> Response:
        return answer({"status": "ok"})

    async def readyz(_request: Request) -> Response:
        return answer({"status": "unready"}, 503) if state.unready() else answer({"status": "ready"})

    routes = [Route(path, guarded(view), methods=list(METHODS)) for path, view in (("/healthz", healthz), ("/readyz", readyz))]
    return Starlette(routes=routes, exception_handlers={HTTPException: refusal})

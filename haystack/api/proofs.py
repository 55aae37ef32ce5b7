"""What a certificate authority looks for: the key authorization of a challenge that is pending (RFC 8555, section 8.3), and nothing else.

Workers lead here who asks for one by its name and token. Everybody may ask: the token is not to be guessed, and says nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from haystack.api.views import FRESH, METHODS, guarded, refusal

PATH = "/.well-known/acme-challenge/{token}"
Answers = Callable[[str, str], str | None]  # of host and token: the key authorization, None: nothing is pending


def application(answers: Answers) -> Starlette:
    """The one address."""

    async def proof(request: Request) -> Response:
        text = answers(request.headers.get("host", ""), request.path_params["token"])
        if text is None:
            raise HTTPException(404)
        return Response(text, headers=FRESH, media_type="application/octet-stream")

    return Starlette(routes=[Route(PATH, guarded(proof), methods=list(METHODS))], exception_handlers={HTTPException: refusal})

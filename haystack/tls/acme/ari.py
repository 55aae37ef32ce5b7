"""When an authority would like a certificate to be renewed (RFC 9773): it may want that early, as where it has to revoke many."""

from __future__ import annotations

import datetime as dt
from typing import Protocol

import msgspec

from haystack.tls.acme.client import Directory, decoded
from haystack.tls.acme.errors import AcmeError
from haystack.tls.acme.history import Window
from haystack.tls.acme.http_client import Answer
from haystack.tls.acme.renewal import LEAST_LOOK, MOST_LOOK, USUAL_LOOK


class Suggested(msgspec.Struct, frozen=True):
    """Section 4.2."""

    start: dt.datetime
    end: dt.datetime


class RenewalInfo(msgspec.Struct, frozen=True, rename={"window": "suggestedWindow", "why": "explanationURL"}):
    """The same section."""

    window: Suggested
    why: str = ""


class Asked(Protocol):
    """The Client."""

    async def directory(self) -> Directory:
        """Where to ask."""

    async def get(self, url: str) -> Answer:
        """What anybody may ask for."""

    def retry_after(self, answer: Answer) -> float:
        """Seconds; 0.0: none said."""


async def window(client: Asked, renewal_id: str, now: float, old: Window) -> Window:
    """What it suggests now; as before where it says nothing, and when to ask again. Never raises."""
    try:
        url = (await client.directory()).renewal_info
        if not url or not renewal_id:
            return Window(look=now + MOST_LOOK)
        answer = await client.get(f"{url}/{renewal_id}")
        found: RenewalInfo = decoded(answer.body, RenewalInfo)
        start, end = found.window.start.timestamp(), found.window.end.timestamp()
    except (AcmeError, ValueError, OverflowError):
        return msgspec.structs.replace(old, look=now + USUAL_LOOK)
    look = now + min(MOST_LOOK, max(LEAST_LOOK, client.retry_after(answer) or USUAL_LOOK))
    return Window(start, end, look, found.why[:200]) if start < end else Window(look=look)

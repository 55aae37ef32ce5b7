"""Whether there is a source of certificates: only then the https listener is opened."""

from __future__ import annotations

from haystack.settings import authorities
from haystack.settings.settings import Settings

UNSEALED = "nothing listens for https: set HAYSTACK_ACME, HAYSTACK_CERTS (a folder, which may be empty) or HAYSTACK_TLS_LOCAL"


def wanted(settings: Settings) -> bool:
    """Whether any is set."""
    return settings.certs is not None or settings.acme != authorities.OFF or settings.tls_local


def why_no_redirect(settings: Settings) -> str:
    """Why nobody is redirected by HAYSTACK_HTTPS, which wants that; empty: it does not, or there are certificates."""
    return UNSEALED if settings.https == "redirect" and not wanted(settings) else ""

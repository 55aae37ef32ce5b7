"""Whether there is a source of certificates: only then the https listener is opened."""

from __future__ import annotations

from haystack.settings import authorities
from haystack.settings.settings import Settings


def wanted(settings: Settings) -> bool:
    """Whether any is set."""
    return settings.certs is not None or settings.acme != authorities.OFF or settings.tls_local

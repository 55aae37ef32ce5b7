"""The options of services: what labels may ask for a service as a whole.

Pure. discovery/labels.py reads the labels, catalog/service.py finds out on what the containers of a service agree.
"""

from __future__ import annotations

import msgspec

RETRIED = (500, 502, 503, 504)  # answers that say that the endpoint failed, rather than what it was asked (RFC 9110, section 15.6)


class ServiceOptions(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What labels ask for a service as a whole: of its containers, which have to agree, and of the service; None: not asked."""

    balance: str | None = None
    sticky: str | None = None
    max_connections: int | None = None
    timeout: float | None = None
    wait: float | None = None
    retry: tuple[int, ...] | None = None
    upgrade: tuple[str, ...] | None = None
    https: str | None = None
    hsts_max_age: int | None = None

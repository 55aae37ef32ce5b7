"""Settings → the limits of one worker. Pure."""

from __future__ import annotations

from haystack.proxy.ipc import Limits
from haystack.settings.settings import Settings

SHARE = -1  # of what is free
FOREVER = 1 << 40  # milliseconds: 35 years


def of(settings: Settings) -> Limits:
    """The limits of one of the workers: connections in all are shared out evenly, as the kernel does it."""
    return Limits(
        max_head=settings.max_head,
        max_headers=settings.max_headers,
        max_clients=-(-settings.max_connections // settings.workers),
        max_per_client=SHARE if settings.max_client_connections is None else settings.max_client_connections,
        head_ms=_ms(settings.head_timeout),
        idle_ms=_ms(settings.idle_timeout),
        body_rate=settings.body_rate,
        connect_ms=_ms(settings.connect_timeout),
        tunnel_ms=_ms(settings.tunnel_timeout) or FOREVER,
        pool_size=settings.pool_size if settings.pool_idle else 0,
        pool_ms=_ms(settings.pool_idle),
        pool_age_ms=_ms(settings.pool_age),
        queue_size=settings.queue_size,
        queue_ms=_ms(settings.queue_timeout),
        kept_body=settings.kept_body,
        read_rate=settings.read_rate,
        max_kept=-(-settings.answer_memory // settings.workers),
    )


def _ms(seconds: float) -> int:
    return round(seconds * 1000)

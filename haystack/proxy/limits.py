"""The limits of one worker: what there is, as it travels to it, and what it is by the settings. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:  # a worker imports this, and has no settings of its own
    from haystack.net import descriptors
    from haystack.settings.settings import Settings

SHARE = -1  # of what is free
FOREVER = 1 << 40  # milliseconds: 35 years


class Limits(msgspec.Struct, frozen=True, array_like=True):
    """What a worker holds its clients, endpoints and itself to; 0 where a limit may be off. The names are those in _fast/worker/limits.pyx.

    max_clients: connections of this worker; max_per_client: of one client address, in this worker (-1: a share); body_rate: bytes a second;
    kept_body: bytes of a request's body; max_endpoints: connections to endpoints, pooled ones too;
    read_rate: bytes a second that a client takes at least; max_kept: bytes of memory for what sockets have not taken;
    max_streams: requests at once on a connection of HTTP/2; h2c: HTTP/2 is spoken without TLS too.
    """

    max_head: int
    max_headers: int
    max_clients: int
    max_per_client: int
    head_ms: int
    idle_ms: int
    body_rate: int
    connect_ms: int
    tunnel_ms: int
    pool_size: int
    pool_ms: int
    pool_age_ms: int
    queue_size: int
    queue_ms: int
    kept_body: int
    max_endpoints: int = 0
    read_rate: int = 0
    max_kept: int = 0
    max_streams: int = 128
    h2c: int = 0


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
        max_streams=settings.max_streams,
        h2c=int(settings.h2c),
    )


def fitted(limits: Limits, shares: descriptors.Shares) -> Limits:
    """These limits, where they are no higher than a worker's descriptors allow."""
    return msgspec.structs.replace(limits, max_clients=shares.clients, max_endpoints=shares.endpoints)


def _ms(seconds: float) -> int:
    return round(seconds * 1000)

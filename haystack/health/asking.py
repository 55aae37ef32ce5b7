"""One look of a health check, of whatever kind it is and however the endpoint is spoken to."""

from __future__ import annotations

from haystack.health import grpc_check, http2_call, http_check
from haystack.health.endpoint_tls import Seal, Sealer, Unsealed
from haystack.health.probe import Probe, judged


async def ask(probe: Probe, sealer: Sealer | None = None) -> tuple[bool, str]:
    """Whether the endpoint is well, and what it said. sealer: it is asked within TLS."""
    if probe.service is None and not probe.http2:
        return judged(probe, *await http_check.ask(probe.address, probe.port, probe.request(), probe.timeout, sealer, probe.greeting))
    seal = sealer() if sealer is not None else None
    if isinstance(seal, Unsealed):
        return False, f"port {probe.port} {seal.why}"
    if probe.service is None:
        return judged(probe, *await _status(probe, seal))
    return await grpc_check.ask(probe.address, probe.port, probe.service, probe.authority, probe.timeout, seal, probe.greeting)


async def _status(probe: Probe, seal: Seal | None) -> tuple[int, str]:
    """What an HTTP/2 request is answered with: the status, or 0 and what is the matter."""
    head = http2_call.head(probe.method, probe.path, probe.authority, within=seal is not None)
    found = await http2_call.call(probe.address, probe.port, head, b"", probe.timeout, seal, probe.greeting)
    return (0, found) if isinstance(found, str) else (found.status, "does not speak HTTP/2")

"""One look of a health check, of whatever kind it is."""

from __future__ import annotations

from haystack.health import grpc_check, http_check
from haystack.health.probe import Probe, judged


async def ask(probe: Probe) -> tuple[bool, str]:
    """Whether the endpoint is well, and what it said."""
    if probe.service is not None:
        return await grpc_check.ask(probe.address, probe.port, probe.service, probe.authority, probe.timeout)
    return judged(probe, *await http_check.ask(probe.address, probe.port, probe.request(), probe.timeout))

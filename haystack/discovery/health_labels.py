"""The labels haystack.health.*: what each takes, and what of them does not go together. Pure. What they ask for is in health/probe.py."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from haystack.discovery.label_values import TOKEN, bad, path, seconds, whole
from haystack.health import probe
from haystack.model import ports, spelling
from haystack.model.records import Problem

HEALTH = "haystack.health."
SHORTEST_INTERVAL = 0.1  # seconds between two probes

_HOST = re.compile(r"[0-9A-Za-z._\-:\[\]]{1,255}")
_SERVICE = re.compile(r"[0-9A-Za-z._/\-]{1,255}")


def problems(health: Mapping[str, str]) -> Iterator[Problem]:
    """What of haystack.health.* does not go together."""
    if health.keys() - {"slow_start"} and not probe.is_asked(health):
        yield Problem(subject=f"label {HEALTH}path", message="is missing, and so is haystack.health.grpc: there is no health check")
    for word in probe.NOT_OF_GRPC:
        if "grpc" in health and word in health:
            yield Problem(subject=f"label {HEALTH}{word}", message="is not for gRPC health checks (haystack.health.grpc); label ignored")


def read(word: str, text: str) -> str:
    """Checked, but kept as text: the prober reads it. Raises BadValueError."""
    return str(_READERS[word](text))


def _grpc(text: str) -> str:
    """Whose health a gRPC server is asked for. A word that switches it off is the name of no service."""
    if spelling.truth(text):
        return probe.WHOLE
    if _SERVICE.fullmatch(text) and spelling.truth(text) is None:
        return text
    raise bad(text, "on, or the name of a gRPC service")


def _statuses(text: str) -> str:
    try:
        probe.statuses(text)
    except ValueError:
        raise bad(text, "statuses such as 200-399,404") from None
    return text


def _method(text: str) -> str:
    if TOKEN.fullmatch(text):
        return text
    raise bad(text, "a method")


def _host(text: str) -> str:
    """A Host field: a name and a port, or not (RFC 9110, section 7.2)."""
    if _HOST.fullmatch(text):
        return text
    raise bad(text, "a host name")


def _often(text: str) -> float:
    """The time between two probes. The control process makes them all, and has other things to do."""
    value = seconds(text)
    if value < SHORTEST_INTERVAL:
        raise bad(text, f"{SHORTEST_INTERVAL * 1000:g}ms or more")
    return value


_READERS: dict[str, Callable[[str], object]] = {
    "path": path,
    "grpc": _grpc,
    "port": whole(1, ports.HIGHEST),
    "interval": _often,
    "timeout": seconds,
    "status": _statuses,
    "rise": whole(1, 100),
    "fall": whole(1, 100),
    "method": _method,
    "host": _host,
    "slow_start": seconds,
}
WORDS = tuple(_READERS)  # of these labels, without their prefix

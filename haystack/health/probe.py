"""What a container's labels ask to be probed, and what a row of answers says about it. Pure: state, answer, now → state.

A container with haystack.health.path, or haystack.health.grpc, is asked for it on each of its HTTP ports (or on haystack.health.port), and
is out after `fall` bad answers in a row, in again after `rise` good ones. A new one is in after the first good one.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from haystack.health import admission_times, grpc_check
from haystack.health.tcp_check import GREETINGS
from haystack.model.records import Options, Record
from haystack.model.services import Endpoint

INTERVAL, TIMEOUT = 5.0, 2.0  # seconds
RISE, FALL = 2, 3
STATUS = "200-399"
METHOD = "GET"
BY_HTTP2 = ("h2c", "h2")  # of haystack.protocol
WHOLE = "on"  # haystack.health.grpc: the server as a whole, none of its services
NOT_OF_GRPC = ("path", "status", "method")  # haystack.health.*: of HTTP health checks alone
SOONEST = 0.05  # seconds between two probes of one that has not joined yet


class Probe(Record, frozen=True, kw_only=True):
    """Whom to ask for what. interval and timeout: seconds; statuses: inclusive ranges that are good answers; greeting: comes before it.

    service: of gRPC, whose health is asked for instead of a path; empty: the server as a whole; None: it is an HTTP health check; http2:
    which is made by HTTP/2, as the endpoint speaks that.
    """

    address: str
    port: int
    path: str = ""
    service: str | None = None
    http2: bool = False
    interval: float = INTERVAL
    timeout: float = TIMEOUT
    rise: int = RISE
    fall: int = FALL
    statuses: tuple[tuple[int, int], ...] = ((200, 399),)
    method: str = METHOD
    host: str = ""
    greeting: bytes = b""

    @property
    def subject(self) -> str:
        """What is asked for, in words."""
        return self.path if self.service is None else grpc_check.subject(self.service)

    @property
    def authority(self) -> str:
        """Whom the request names: the Host field."""
        place = f"[{self.address}]" if ":" in self.address else self.address
        return self.host or f"{place}:{self.port}"

    def request(self) -> bytes:
        """What is sent (RFC 9112). A connection of its own each time: whether one can be had is part of the question."""
        lines = (
            f"{self.method} {self.path} HTTP/1.1",
            f"Host: {self.authority}",
            "User-Agent: haystack-health",
            "Accept: */*",
            "Connection: close",
        )
        return "\r\n".join((*lines, "", "")).encode("latin-1", "replace")


class State(Record, frozen=True, kw_only=True):
    """What a probe has shown. up None: nothing yet, it is new. Times are seconds of a clock that only grows.

    row: answers in a row that speak against `up`; told: the last answer in words; at: when it came; since: when the first look was
    taken; why: why it is down, as of when it went down or of the last other trouble; trouble: that answer in words.
    """

    up: bool | None = None
    row: int = 0
    told: str = ""
    at: float = 0.0
    since: float = 0.0
    why: str = ""
    trouble: str = ""


def of(options: Options, endpoint: Endpoint) -> Probe | None:
    """The probe that the labels of an endpoint's container ask for; None: none. The values are checked (labels.py)."""
    asked = options.health
    if not is_asked(asked) or endpoint.listener is None:
        return None
    if not endpoint.speaks_http and "port" not in asked:
        return None  # it speaks TLS
    service, port = asked.get("grpc"), int(asked.get("port", endpoint.port))
    return Probe(
        address=endpoint.address,
        port=port,
        http2=service is None and port == endpoint.port and endpoint.connection.protocol in BY_HTTP2,
        path=asked["path"] if service is None else "",
        service="" if service == WHOLE else service,
        interval=float(asked.get("interval", INTERVAL)),
        timeout=float(asked.get("timeout", TIMEOUT)),
        rise=int(asked.get("rise", RISE)),
        fall=int(asked.get("fall", FALL)),
        statuses=statuses(asked.get("status", STATUS)),
        method=asked.get("method", METHOD),
        host=asked.get("host", ""),
        # another port is another matter, as with HAProxy
        greeting=GREETINGS[endpoint.connection.proxy_protocol] if port == endpoint.port else b"",
    )


def is_asked(health: Mapping[str, str]) -> bool:
    """Whether the haystack.health.* labels of a container ask for a health check."""
    return "path" in health or "grpc" in health


def statuses(text: str) -> tuple[tuple[int, int], ...]:
    """``200-399,404`` as ranges. Raises ValueError where it is no list of statuses from 100 to 599."""
    found = []
    for part in text.split(","):
        low, dash, high = (word.strip() for word in part.partition("-"))
        first, last = int(low), int(high if dash else low)
        if not 100 <= first <= last <= 599:  # noqa: PLR2004 - what a status may be (RFC 9110, section 15)
            raise ValueError("no statuses")
        found.append((first, last))
    return tuple(found)


def judged(probe: Probe, status: int, trouble: str) -> tuple[bool, str]:
    """Whether an answer of HTTP is a good one, and that in words. status: 0 where none came, and trouble says why."""
    told = f"{status} from {probe.path}" if status else f"port {probe.port} {trouble}"
    return any(low <= status <= high for low, high in probe.statuses), told


def heard(state: State, probe: Probe, now: float, told: str, *, good: bool) -> State:
    """The state after one answer. told: the answer in words."""
    if state.up is None:
        return _first(state, told, now, good=good)
    row = 0 if good == state.up else state.row + 1
    new = replace(state, row=row, told=told, at=now)
    if state.up:
        return replace(new, up=False, row=0, why=f"{told}, {row} in a row", trouble=told) if row >= probe.fall else new
    if row >= probe.rise:
        return replace(new, up=True, row=0, why="", trouble="")
    return new if good or state.trouble == told else replace(new, why=told, trouble=told)


def _first(state: State, told: str, now: float, *, good: bool) -> State:
    """Nobody knows it yet: one good answer lets it in; after a while without any it counts as down."""
    new = replace(state, told=told, at=now)
    if good:
        return replace(new, up=True)
    return replace(new, up=False, why=told, trouble=told) if admission_times.overdue(now - state.since) else new


def pause(state: State, probe: Probe, now: float) -> float:
    """Seconds until the next look, before they are spread a little."""
    if state.up is None:
        return min(probe.interval, max(SOONEST, admission_times.pause(now - state.since, 1)))
    return probe.interval

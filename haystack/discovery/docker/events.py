"""Engine events: what one means for a container, decided from Type, Action and Actor alone (API 1.52 has no more).

Pure. Never does: reading the stream, changing anything. The docker provider asks it about every event.
"""

from __future__ import annotations

import enum
import signal
from collections.abc import Iterator

from haystack.discovery.docker.inspect import mapping, text
from haystack.model.records import Record

# What makes a process stop, by name. Others, such as HUP, USR1 and WINCH, stop nothing.
STOPPING = frozenset({"SIGTERM", "SIGINT", "SIGQUIT", "SIGKILL", "SIGABRT"})

# The first and the last real-time signal as every engine counts them (github.com/moby/sys/signal), whatever the C library here does.
RTMIN, RTMAX = 34, 64

FUTURE = 1 << 63  # nanoseconds that no engine can tell: it counts them in 64 bits


class Effect(enum.Enum):
    """What to do about an event."""

    NOTHING = "nothing"
    STOPPING = "stopping"  # leave the balance at once, before the process has gone
    GONE = "gone"
    PAUSED = "paused"
    ILL = "ill"  # its health check has failed: leave the balance at once, and look at the container for why
    CHANGED = "changed"  # look at the container again
    NETWORKS = "networks"  # look at the networks again, and at the container if one is named


class Event(Record, frozen=True, kw_only=True):
    """One event. container: its id or empty; status: with which its process exited, or its health; at: Unix nanoseconds, 0: not told."""

    kind: str
    action: str
    container: str = ""
    signal: str = ""
    status: str = ""
    at: int = 0

    @property
    def seconds(self) -> float:
        """`at` in Unix seconds."""
        return self.at / 1e9

    @property
    def stamp(self) -> str:
        """`at` as the engine takes it in `since`: seconds.nanoseconds; empty when not told."""
        return f"{self.at // 10**9}.{self.at % 10**9:09d}" if self.at else ""


def read(raw: object) -> Event | None:
    """The event of one JSON object; None when it is none."""
    told = mapping(raw)
    actor = mapping(told.get("Actor"))
    attributes = mapping(actor.get("Attributes"))
    kind, action = text(told.get("Type")), text(told.get("Action"))
    if not kind or not action:
        return None
    identity = text(actor.get("ID")) if kind == "container" else text(attributes.get("container"))
    if not identity.isascii():  # it is to stand in a request
        return None
    nanos = told.get("timeNano")
    action, _, more = map(str.strip, action.partition(":"))  # "health_status: healthy", "exec_create: ls"
    return Event(
        kind=kind,
        action=action,
        container=identity.lower(),
        signal=signal_name(text(attributes.get("signal"))) if action == "kill" else "",
        status=text(attributes.get("exitCode")) if action == "die" else more if action == "health_status" else "",
        at=nanos if isinstance(nanos, int) and 0 < nanos < FUTURE else 0,
    )


def signal_name(told: str) -> str:
    """``15``, ``TERM`` or ``sigterm`` as ``SIGTERM``; as it is when it is none that is known; empty for nothing.

    One signal has one name here: an image may say SIGRTMIN+3 or SIGPOLL, and its event says 37 or 29.
    """
    word = told.strip().upper()
    name = word.lstrip("0") if word.isdigit() else word if not word or word.startswith("SIG") else f"SIG{word}"
    return _NAMES.get(name, name)


def _names() -> Iterator[tuple[str, str]]:
    """Every way to write a signal, and its name."""
    for name, one in signal.Signals.__members__.items():
        yield name, one.name
        yield str(one.value), one.name
    for number in range(RTMIN, RTMAX + 1):
        real = f"SIGRTMIN+{number - RTMIN}"
        yield from ((each, real) for each in (str(number), real, f"SIGRTMAX-{RTMAX - number}"))
    yield from (("SIGRTMIN", "SIGRTMIN+0"), ("SIGRTMAX", f"SIGRTMIN+{RTMAX - RTMIN}"))


_NAMES = dict(_names())


def effect(event: Event, stop_signal: str = "") -> Effect:
    """What `event` asks for. stop_signal: the one with which this container's image or creator says it stops."""
    if event.kind == "network":
        return Effect.NETWORKS if event.action in _NETWORK_ACTIONS else Effect.NOTHING
    if event.kind != "container" or not event.container:
        return Effect.NOTHING
    if event.action == "kill":
        stops = event.signal in STOPPING or event.signal == signal_name(stop_signal) != ""
        return Effect.STOPPING if stops else Effect.NOTHING
    if event.action == "health_status" and event.status == "unhealthy":
        return Effect.ILL
    return _CONTAINER_ACTIONS.get(event.action, Effect.NOTHING)


_NETWORK_ACTIONS = frozenset({"create", "connect", "disconnect", "destroy", "remove", "update"})
_CONTAINER_ACTIONS = {
    "die": Effect.GONE,
    "destroy": Effect.GONE,
    "pause": Effect.PAUSED,
    "start": Effect.CHANGED,
    "unpause": Effect.CHANGED,
    "rename": Effect.CHANGED,
    "health_status": Effect.CHANGED,
    "update": Effect.CHANGED,
}

"""Which exchanges `tail` shows, and what it calls the endpoint that answered. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase

import msgspec

from haystack.model.reports import Trace
from haystack.observe.safe_text import printable_json
from haystack.observe.trace import ITSELF
from haystack.views.state import State

SERVICES = 16  # of which the endpoints' names are kept
_STATUS = re.compile(r"[1-5](?:xx|[0-9]{2})|none")


@dataclass(frozen=True, slots=True)
class Wanted:
    """statuses: as `statuses` reads them; path: a beginning, or a pattern with ``*``; slow: milliseconds at least; own: also Haystack's."""

    statuses: tuple[str, ...] = ()
    path: str = ""
    slow: float = 0.0
    own: bool = False

    def fits(self, trace: Trace) -> bool:
        """Whether this one is wanted."""
        if trace.service == ITSELF and not self.own:
            return False
        if trace.total_ms < self.slow or (self.statuses and not any(_is(trace.status, each) for each in self.statuses)):
            return False
        path = trace.target.partition("?")[0]
        return not self.path or (fnmatchcase(path, self.path) if "*" in self.path else path.startswith(self.path))


def statuses(text: str) -> tuple[str, ...]:
    """``404``, ``5xx``, ``none`` (no answer), or several with commas between. Raises ValueError."""
    found = tuple(text.lower().split(","))
    if not all(map(_STATUS.fullmatch, found)):
        raise ValueError("not a status such as 404, 5xx, none (no answer) or 404,5xx")
    return found


def path(text: str) -> str:
    """The beginning of a path, or a pattern. Raises ValueError."""
    if not text.startswith(("/", "*")):
        raise ValueError("a path begins with /")
    return text


def _is(status: int, wanted: str) -> bool:
    if wanted == "none":
        return status == 0
    return str(status) == wanted or (wanted.endswith("xx") and status // 100 == int(wanted[0]))


class Names:
    """Of the endpoints of services, by their addresses: a container's name says more to a person."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._version = -1
        self._of: dict[str, dict[str, str]] = {}

    @property
    def origin(self) -> str:
        """The last part of the names of services."""
        return self._state.snapshot.origin

    def name(self, trace: Trace) -> str:
        """Who answered; empty: nobody."""
        if trace.service == ITSELF:
            return "Haystack"
        picture = self._state.snapshot
        if picture.version != self._version or len(self._of) > SERVICES:
            self._version, self._of = picture.version, {}
        if trace.service not in self._of:
            service = picture.services.get(trace.service)
            self._of[trace.service] = {_place(e.address, e.port): e.container_name for e in service.endpoints} if service else {}
        return self._of[trace.service].get(trace.endpoint, trace.endpoint)


def _place(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def as_json(trace: Trace) -> str:
    """The fields of the JSON access log, in a line that a terminal may show."""
    fields = {name: getattr(trace, name) for name in trace.__struct_fields__}
    fields["time"] = datetime.fromtimestamp(trace.time, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return printable_json(msgspec.json.encode(fields, enc_hook=str).decode())

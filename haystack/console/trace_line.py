"""An exchange as a line for a person: the whole of it for `trace`, the gist for `tail`. Pure.

Nothing of it moves a terminal's cursor: hosts, paths and request ids are what clients sent.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

from haystack.console.wrapping import columns
from haystack.model import naming
from haystack.model.reports import Trace
from haystack.observe.safe_text import printable

METHOD = 7  # characters of most methods
LONGEST = 12  # of a method that is shown
PLAIN = "\x1b[0m"
COLOURS = {2: "\x1b[32m", 3: "\x1b[36m", 4: "\x1b[33m", 5: "\x1b[31m"}  # by a status's class: green, cyan, yellow, red
NO_ANSWER = "\x1b[35m"  # magenta
LEAST, LEAST_HOST = 12, 5  # columns of a URL, an endpoint or an error that is cut, and of a host
CUT = "…"


def whole(trace: Trace) -> str:
    """Everything, what all lines have in columns first: time (UTC), status, duration, method, URL; phases in milliseconds."""
    words = [
        f"{url(trace)}  {'>'.join(trace.candidates) or '-'} {'reused' if trace.reused else 'new'}",
        f" route={phase(trace.route_ms)} connect={phase(trace.connect_ms)} first={phase(trace.first_byte_ms)}",
        f"in={trace.received}B out={trace.sent}B",
        f" {trace.listener or '-'} client={trace.client or '-'} service={trace.service or '-'} id={trace.request_id or '-'}",
    ]
    return printable(f"{lead(trace)} {' '.join(words)}{failure(trace)}")


def brief(trace: Trace, endpoint: str, width: int | None = None, *, origin: str = "", colour: bool = False) -> str:
    """The gist: the same columns, the URL, who answered, the size, and what failed. width: of the terminal, which is never exceeded.

    origin: of the names of services, which are shortened first where there is too little room.
    """
    before = printable(lead(trace)) + " "
    behind = Behind(printable(url(trace)), printable(endpoint) or "-", size(trace.sent), printable(trace.error))
    if width is not None:
        before = cut(before, width)
        behind = fitted(behind, printable(shortest(trace.host, origin)), printable(trace.target), max(0, width - columns(before)))
    told = behind.text if width is None else cut(behind.text, max(0, width - columns(before)))
    return f"{painted(trace.status)}{before}{PLAIN}{told}" if colour else before + told


class Behind(NamedTuple):
    """What stands behind the columns that all lines have."""

    url: str
    endpoint: str
    size: str
    error: str

    @property
    def text(self) -> str:
        """As it is shown."""
        return "  ".join(filter(None, self))


def fitted(told: Behind, host: str, target: str, room: int) -> Behind:
    """The same in so many columns: first the host is short, then cut, then the path, then the endpoint and the error, each to its least."""
    if (over := columns(told.text) - room) <= 0:
        return told
    wide = columns(told.url) - over
    told = told._replace(url=located(host, target, max(LEAST, wide)))
    over = columns(told.text) - room
    told = told._replace(endpoint=middle(told.endpoint, max(LEAST, columns(told.endpoint) - over)) if over > 0 else told.endpoint)
    over = columns(told.text) - room
    return told._replace(error=cut(told.error, max(LEAST, columns(told.error) - over))) if over > 0 else told


def located(host: str, target: str, width: int) -> str:
    """Host and path in so many columns. The path tells more: the host is cut first, and the path loses its middle."""
    if columns(host) + columns(target) <= width or not target:
        return cut(host + target, width)
    host = cut(host, max(LEAST_HOST, width - columns(target)))
    return host + middle(target, width - columns(host))


def shortest(host: str, origin: str) -> str:
    """A service's short name, with the port where there is one; another host as it is."""
    name, colon, port = host.partition(":")
    return naming.short_name(name, origin) + colon + port if origin else host


def lead(trace: Trace) -> str:
    """What all lines begin with."""
    at = datetime.fromtimestamp(trace.time, UTC).strftime("%H:%M:%S.%f")[:-3]
    return f"{at} {trace.status or '-':>3} {duration(trace.total_ms):>8} {trace.method[:LONGEST] or '-':<{METHOD}}"


def url(trace: Trace) -> str:
    """What was asked for."""
    return f"{trace.host}{trace.target}" or "-"


def failure(trace: Trace) -> str:
    """What went wrong, as Proxy-Status has it (RFC 9209); empty: nothing."""
    return f"  error={trace.error}{f' ({trace.detail})' if trace.detail else ''}" if trace.error else ""


def painted(status: int) -> str:
    """The control sequence of a status's colour."""
    return COLOURS.get(status // 100, NO_ANSWER if not status else PLAIN)


def phase(milliseconds: float) -> str:
    """The length of a phase, or a dash where it was never reached."""
    return "-" if milliseconds < 0 else f"{milliseconds:.2f}"


def duration(milliseconds: float) -> str:
    """``0.21ms``, ``23ms``, ``1.20s``: three digits or so, to be compared at a glance."""
    if milliseconds < 0:
        return "-"
    if milliseconds < 10:  # noqa: PLR2004 - three digits
        return f"{milliseconds:.2f}ms"
    return f"{milliseconds:.0f}ms" if milliseconds < 1000 else f"{milliseconds / 1000:.2f}s"  # noqa: PLR2004 - a second's


def size(octets: int) -> str:
    """``612B``, ``1.5K``, ``20M``: powers of 1024."""
    number, unit = float(octets), "B"
    for more in ("K", "M", "G", "T"):
        if number < 1024:  # noqa: PLR2004 - as above
            break
        number, unit = number / 1024, more
    return f"{number:.0f}{unit}" if number >= 10 or unit == "B" else f"{number:.1f}{unit}"  # noqa: PLR2004 - two digits


def cut(text: str, width: int) -> str:
    """The text in so many columns, without its end."""
    if columns(text) <= width:
        return text
    return begun(text, width - 1) + CUT if width > 0 else ""


def middle(text: str, width: int) -> str:
    """The text in so many columns, without its middle: what tells things of one kind apart often stands at the end."""
    if columns(text) <= width:
        return text
    end = begun(text[::-1], (width - 1) // 2)[::-1]
    return begun(text, width - 1 - columns(end)) + CUT + end if width > 0 else ""


def begun(text: str, width: int) -> str:
    """As much of its beginning as so many columns hold."""
    kept = text[: max(0, width)]
    while columns(kept) > max(0, width):
        kept = kept[:-1]
    return kept

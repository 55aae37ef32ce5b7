"""What to run where nobody said: well-known ports or others, and a state folder that can be written.

Never starts anything: it tries a port by binding it for a moment, and answers with settings. commands.py uses it for `haystack demo` and
`haystack auto`, which is what `make run` starts.
"""

from __future__ import annotations

import errno
import socket
from contextlib import closing
from pathlib import Path

from haystack.handover import control_socket
from haystack.settings import addresses
from haystack.settings.settings import Settings, variable
from haystack.startup import checks

FALLBACK_PORTS = {"http_port": 8000, "http_alt_port": 8080, "dns_port": 5300, "ssh_port": 2222}
ANY_FREE = 0
EVERYWHERE = ("0.0.0.0",)
NOT_OURS = "this machine, or container, has no such address"


def bindable(address: str, port: int, kind: int = socket.SOCK_STREAM) -> bool:
    """Whether this process could listen there now: neither forbidden nor taken."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with closing(socket.socket(family, kind)) as trial:
        if kind == socket.SOCK_STREAM:  # a connection that is fading away keeps nobody from listening
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((address, port))
        except OSError:
            return False
    return True


def can_have(settings: Settings, field: str, port: int) -> bool:
    """Whether this port could be listened on now, on every address and for all that is asked of it."""
    kinds = (socket.SOCK_STREAM, socket.SOCK_DGRAM) if field == "dns_port" else (socket.SOCK_STREAM,)
    return all(bindable(address, port, kind) for address in settings.bind or EVERYWHERE for kind in kinds)


def usable_ports(settings: Settings) -> Settings:
    """The same settings, but ports that nobody set and that can't be had are the unprivileged ones, or any free ones if need be."""
    chosen: dict[str, object] = {}
    taken = {getattr(settings, field) for field in FALLBACK_PORTS if settings.given(field)}
    for field, fallback in FALLBACK_PORTS.items():
        if not settings.given(field):
            wanted = (getattr(settings, field), fallback)
            port = next((port for port in wanted if port not in taken and can_have(settings, field, port)), ANY_FREE)
            chosen[field] = port
            taken.add(port)
    return settings.with_defaults(chosen)


def moved(before: Settings, after: Settings) -> list[str]:
    """A line for each port that is another one than it would be by itself."""
    changes = [(field, getattr(before, field), getattr(after, field)) for field in FALLBACK_PORTS]
    return [
        f"port {old} is not available, so {variable(field)} is {new if new != ANY_FREE else 'any free port'}"
        for field, old, new in changes
        if old != new
    ]


def writable(folder: Path) -> bool:
    """Whether files could be made in the folder, or the folder itself in what there is of its parents."""
    return not checks.unwritable(folder)


def usable_state(settings: Settings) -> Settings:
    """The same settings, or with a state folder of the user's where the usual one can't be written."""
    return settings if writable(settings.state_dir) else settings.with_defaults({"state_dir": control_socket.user_state()})


def demo_settings(settings: Settings) -> Settings:
    """Settings for a demo that anybody may start, on the usual ports where they can be had."""
    return usable_state(usable_ports(settings))


def port_complaint(settings: Settings, fields: tuple[str, ...], error: OSError) -> str:
    """Which port, why, and what to set: one line. Of several, those that can't be bound now either."""
    places = settings.bind or EVERYWHERE
    if "http_port" in fields and isinstance(settings.admin, str) and not bindable(*addresses.place(settings.admin)):
        return f"can't listen on {settings.admin}: {error.strerror or error}; set HAYSTACK_ADMIN to another ADDRESS:PORT"
    if error.errno == errno.EADDRNOTAVAIL and (absent := [place for place in settings.bind if not bindable(place, ANY_FREE)]):
        return f"can't listen on {', '.join(absent)}: {NOT_OURS}: set HAYSTACK_BIND to one that it has"
    bad = [f for f in fields if not all(bindable(place, getattr(settings, f)) for place in places)] or list(fields)
    ports = " and ".join(str(getattr(settings, f)) for f in bad)
    names = " and ".join(variable(f) for f in bad)
    return f"can't listen on port {ports}: {error.strerror or error}; set {names} to another port, or HAYSTACK_BIND to other addresses"

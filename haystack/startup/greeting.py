"""What the log's `ready` tells: the version, what to type to see it work, and where the page is.

Pure, but for looking at this machine's addresses. Never says that something works which was not listed.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address

from haystack import __version__
from haystack.discovery import own_place
from haystack.model import naming
from haystack.model.ports import suffix
from haystack.model.snapshot import Snapshot
from haystack.settings.settings import Settings

LOCALHOST = "localhost"
FIRST = "docker run --detach nginx"  # what a person starts who has nothing yet


def ready(settings: Settings, snapshot: Snapshot, ports: Mapping[str, int], troubles: list[str]) -> dict[str, object]:
    """The fields of the line. ports: by the listener's name; troubles: the sources that have not listed, and why."""
    place = f"{_place(settings, snapshot.origin)}{suffix(ports['http'])}"
    told: dict[str, object] = {"version": __version__, "example": _example(snapshot, place, ports["http"])}
    if settings.admin:
        told["page"] = f"http://{_page(settings, ports) or place}/ui"
    told |= {"containers": len(snapshot.containers), "services": len(snapshot.services)}
    told |= {name.replace("-", "_"): number for name, number in ports.items()}
    return told | ({"missing": troubles} if troubles else {})


def _page(settings: Settings, ports: Mapping[str, int]) -> str:
    """Where the web side has a listener of its own; empty: it has none."""
    return f"{settings.admin.rpartition(':')[0]}:{ports['admin']}" if isinstance(settings.admin, str) else ""


def is_local(origin: str) -> bool:
    """Whether names under this origin are this machine for everybody, without asking any DNS (RFC 6761, section 6.3)."""
    return origin == LOCALHOST or origin.endswith(f".{LOCALHOST}")


def _place(settings: Settings, origin: str) -> str:
    """Where Haystack can be asked by who reads its log: in a container another place than loopback, but for names that are loopback."""
    if is_local(origin):
        return LOCALHOST
    told = [a for a in (*settings.bind, *settings.address) if not ip_address(a).is_unspecified]
    found = told or (list(map(str, own_place.addresses())) if own_place.container_id() else [])
    first = min(found or [own_place.LOOPBACK], key=lambda a: ":" in a)  # the first of the old kind, if any
    return f"[{first}]" if ":" in first else first


def _example(snapshot: Snapshot, place: str, number: int) -> str:
    """A command or URL that works as it stands, whether or not DNS is set up."""
    every = [service.name for service in snapshot.services.values() if service.has_http]
    ready = (name for name in every if any(e.well and e.speaks_http for e in snapshot.services[name].endpoints))
    name = next(ready, every[0] if every else naming.service_name("nginx", snapshot.origin))
    shown = f"http://{name}{suffix(number)}/" if is_local(snapshot.origin) else f"curl -H 'Host: {name}' http://{place}/"
    return shown if every else f"{FIRST}, then {shown}"

"""Which of a container's haystack.host names it may have: none that is Haystack's own, or another service's.

A host that was claimed goes before Haystack's own pages, so a label could take them over, or another service's name. Pure. Every way to a
container's hosts leads through here.
"""

from __future__ import annotations

import functools
import re

from haystack.model.naming import service_name
from haystack.model.records import Container

BRANCHES = ("services", "containers", "dockers", "ns")
LOCAL = "localhost"
_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")  # what clients read as an IPv4 address, odd spellings and all (WHATWG URL, 3.5)


def of(origin: str, container: Container) -> tuple[str, ...]:
    """The names that lead to this container beside those of its services."""
    if not container.options.hosts:
        return ()
    own = names(origin, container)
    return tuple(h for h in dict.fromkeys(container.options.hosts) if h not in own and not _refusal(h, origin))


def refused(origin: str, container: Container) -> dict[str, str]:
    """Those that it may not have → why, and what to do."""
    if not container.options.hosts:
        return {}
    own = names(origin, container)
    return {h: why for h in dict.fromkeys(container.options.hosts) if h not in own and (why := _refusal(h, origin))}


def names(origin: str, container: Container) -> set[str]:
    """The whole names of its services, which it has in any case."""
    return {service_name(short, origin) for short in container.services}


@functools.lru_cache(maxsize=4096)
def _refusal(host: str, origin: str) -> str:
    """Why no container may have this host (lower case, `*.` allowed); empty: it may."""
    bare = host.removeprefix("*.")
    if _NUMBER.fullmatch(bare):
        return "is an IP address, and those are Haystack's own: give a host name"
    if host == LOCAL:
        return f"is Haystack's own: use a name below it, such as app.{LOCAL}"
    if host == origin or (host != bare and (bare == origin or origin.endswith(f".{bare}"))):
        covers = "covers names that are" if host != bare else "is"
        return f"{covers} Haystack's own: list the host names one by one, or give a wildcard that does not cover {origin}"
    if _is_under(bare, origin):
        return f"is a name under {origin} that is not its service's own: the label haystack.name=NAME makes NAME.services.{origin} of it"
    return ""


def _is_under(name: str, origin: str) -> bool:
    """Whether a name belongs to what Haystack names. Below localhost people have sites of their own, so only its branches do there."""
    if origin != LOCAL:
        return name.endswith(f".{origin}")
    return any(f".{name}".endswith(f".{branch}.{origin}") for branch in BRANCHES)

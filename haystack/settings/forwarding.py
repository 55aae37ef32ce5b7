"""Domains whose names are asked of nameservers of their own: the value of HAYSTACK_DNS_FORWARD, checked.

Pure. dns/forward/routes.py heeds it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from haystack.settings import addresses

TAKES = "semicolon separated DOMAIN=NAMESERVER,… where each nameserver is an IP address with an optional :PORT"
LONGEST = 253
# Underscores and slashes too: names of services, and classless reverse zones (RFC 2317).
_LABEL = re.compile(r"[a-z0-9_/-]{1,63}")


class Domain(NamedTuple):
    """A domain in lower case, without trailing dot, and the nameservers for it and all names below, in order."""

    name: str
    nameservers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Domains:
    """All of them, each once."""

    domains: tuple[Domain, ...]

    def __iter__(self) -> Iterator[Domain]:
        return iter(self.domains)

    def __str__(self) -> str:
        """As a person writes it."""
        return ";".join(f"{name}={','.join(nameservers)}" for name, nameservers in self.domains)


def read(value: object) -> Domains:
    """The value of a setting. Raises ValueError."""
    if isinstance(value, Domains):
        return value
    found = tuple(_domain(part.strip()) for part in re.split(r"[;\n]", str(value)) if part.strip())
    if not found:
        raise ValueError("no domain is given")
    names = [each.name for each in found]
    if twice := next((name for name in names if names.count(name) > 1), ""):
        raise ValueError(f"{twice} is given twice")
    return Domains(found)


def _domain(text: str) -> Domain:
    written, separator, servers = text.partition("=")
    if not separator:
        raise ValueError(f"{text!r} is not DOMAIN=NAMESERVER")
    name = written.strip().lower().removesuffix(".")
    if len(name) > LONGEST or not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise ValueError(f"{written.strip()!r} is not a domain name")
    if not (nameservers := addresses.nameservers(servers)):
        raise ValueError(f"{name} has no nameserver")
    return Domain(name, nameservers)

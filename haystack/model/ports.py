"""Port → service name by IANA's register (data/service-names.csv), and the listener on which such a port is served.

Pure but for reading that file once. Nothing is silently left out: a port that IANA does not know goes by its number.
"""

from __future__ import annotations

import csv
import functools
from collections.abc import Iterable, Mapping
from importlib import resources

from haystack.model.records import Port

HTTP = "http"
HTTP_ALT = "http-alt"
PROTOCOLS = ("tcp", "udp", "sctp")
HIGHEST = 65535
USUAL = 80  # what a URL of HTTP need not name


@functools.cache
def register() -> Mapping[tuple[int, str], str]:
    """(port, protocol) → IANA's first name for it."""
    text = (resources.files("haystack") / "data" / "service-names.csv").read_text(encoding="utf-8")
    return {(int(row["port"]), row["protocol"]): row["service"] for row in csv.DictReader(text.splitlines())}


def named(number: int, protocol: str) -> Port:
    """The Port record of a port, with its name."""
    return Port(number=number, protocol=protocol, name=register().get((number, protocol), str(number)))


def parse(text: str) -> Port | None:
    """A port as Docker writes it, ``80/tcp`` or ``80``; None when it is no port."""
    number, _, protocol = text.strip().lower().partition("/")
    if not (number.isascii() and number.isdigit() and len(number) <= len(str(HIGHEST))):
        return None
    if not 1 <= int(number) <= HIGHEST or (protocol or "tcp") not in PROTOCOLS:
        return None
    return named(int(number), protocol or "tcp")


def union(texts: Iterable[str]) -> tuple[tuple[Port, ...], tuple[str, ...]]:
    """Every port of `texts` once, in order; and the texts that are no ports."""
    pairs = [(text, parse(text)) for text in texts]
    return tuple(sorted({p for _, p in pairs if p})), tuple(text for text, p in pairs if p is None)


def listener(port: Port, labelled: int | None = None) -> str | None:
    """``http`` or ``http-alt`` when the port speaks HTTP there, else None.

    With `labelled` (haystack.port) that TCP port alone is the container's ``http`` one: the others keep their names in
    DNS, but two ports of one container are not balanced as if they were the same thing.
    """
    if port.protocol != "tcp":
        return None
    if labelled is not None and port.number == labelled:
        return HTTP
    if port.name == HTTP_ALT:
        return HTTP_ALT
    return HTTP if port.name == HTTP and labelled is None else None


def suffix(number: int) -> str:
    """As it stands behind the host of a URL of HTTP; empty for the usual port."""
    return "" if number == USUAL else f":{number}"

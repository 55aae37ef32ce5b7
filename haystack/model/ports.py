"""Port → service name by IANA's register (data/service-names.csv), and the listener on which such a port is served.

Pure but for reading that file once. Nothing is silently left out: a port that IANA does not know goes by its number.
"""

from __future__ import annotations

import functools
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from importlib import resources
from itertools import accumulate
from typing import NamedTuple

from haystack.model.records import Options, Port
from haystack.model.services import PASSED, PASSTHROUGH

HTTP = "http"
HTTP_ALT = "http-alt"
PROTOCOLS = ("tcp", "udp", "sctp")
HIGHEST = 65535
CACHED = 4096  # ports that containers have in common
SEALED = (443, 8443)  # for HTTP within TLS, where a label says that it is spoken, or that it is passed through
USUAL = 80  # what a URL of HTTP need not name


class Register(NamedTuple):
    """IANA's register, a line for each port and protocol: their ports in order, where they start, and the text. A dict takes 2.5 MiB."""

    ports: array[int]
    starts: array[int]
    text: str


@functools.cache
def register() -> Register:
    """Read it."""
    _, *lines = (resources.files("haystack") / "data" / "service-names.csv").read_text(encoding="utf-8").splitlines()
    ports = array("H", (int(line[: line.index(",")]) for line in lines))
    starts = array("I", accumulate((len(line) + 1 for line in lines), initial=0))
    return Register(ports, starts, "\n".join(lines))


@functools.lru_cache(CACHED)
def named(number: int, protocol: str) -> Port:
    """The Port record of a port, with its name."""
    return Port(number=number, protocol=protocol, name=_name(number, protocol) or str(number))


def _name(number: int, protocol: str) -> str:
    """IANA's first name for it; empty where there is none."""
    ports, starts, text = register()
    for line in range(bisect_left(ports, number), bisect_right(ports, number)):
        _, known, name = text[starts[line] : starts[line + 1] - 1].split(",")
        if known == protocol:
            return name
    return ""


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


def listener(port: Port, labelled: int | None = None, passed: int | None = None) -> str | None:
    """``http`` or ``http-alt`` when the port speaks HTTP there, ``https`` where it is that to which TLS is passed through, else None.

    With `labelled` (haystack.port) that TCP port alone is the container's ``http`` one: the others keep their names in
    DNS, but two ports of one container are not balanced as if they were the same thing.
    """
    if port.protocol != "tcp":
        return None
    if passed is not None:
        labelled = None  # it names that one
        if port.number == passed:
            return PASSED
    if labelled is not None and port.number == labelled:
        return HTTP
    if port.name == HTTP_ALT:
        return HTTP_ALT
    return HTTP if port.name == HTTP and labelled is None else None


def passed(options: Options, listed: Iterable[Port]) -> int | None:
    """The port to which the TLS of a container's hosts is passed through; None: it is not, or there is none for that."""
    if options.https != PASSTHROUGH or not options.hosts:
        return None
    if options.port is not None:
        return options.port
    there = {port.number for port in listed if port.protocol == "tcp"}
    return next((number for number in SEALED if number in there), None)


def suffix(number: int) -> str:
    """As it stands behind the host of a URL of HTTP; empty for the usual port."""
    return "" if number == USUAL else f":{number}"

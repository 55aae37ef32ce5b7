"""Single values of settings: text → what it means, or ValueError saying what is wrong with it.

Pure functions. Each also takes its own result, since defaults and tests hand over values that are parsed already.
settings.py is their only user.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from urllib.parse import urlsplit

Texts = tuple[str, ...]
Networks = tuple[IPv4Network | IPv6Network, ...]

MAX_PORT = 65535
MAX_NAME = 200  # what is left of 253 octets must hold the names under the origin
SWITCHES = {"on": True, "true": True, "1": True, "off": False, "false": False, "0": False}
UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, None: 1.0}
LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_USERINFO = re.compile(r"([a-z][a-z0-9+.-]*://)[^\s,'\"/]*@", re.IGNORECASE)
SCHEMES = ("unix", "tcp", "http", "https")


def items(value: object) -> Texts:
    """The parts between the commas, blanks around them and empty ones dropped."""
    if isinstance(value, (tuple, list)):
        return tuple(str(part) for part in value)
    return tuple(part.strip() for part in str(value).split(",") if part.strip())


def whole(low: int, high: int) -> Callable[[object], int]:
    """A parser of whole numbers from low to high."""

    def parse(value: object) -> int:
        written = str(value).strip()
        if not re.fullmatch(r"[0-9]{1,9}", written):
            raise ValueError("not a whole number")
        if not low <= int(written) <= high:
            raise ValueError("out of range")
        return int(written)

    return parse


port = whole(0, MAX_PORT)
seconds = whole(0, 86400)
workers = whole(1, 256)


def duration(low: float, high: float, *, off: bool = False) -> Callable[[object], float]:
    """A parser of durations (``10``, ``1.5s``, ``500ms``, ``2m``, ``1h``) from low to high seconds; off: 0 is taken too."""

    def parse(value: object) -> float:
        written = str(value).strip()
        if off and re.fullmatch(r"0+(\.0+)?(ms|s|m|h)?", written):
            return 0.0
        match = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|s|m|h)?", written)
        if not match:
            raise ValueError("not a duration")
        seconds = float(match[1]) * UNITS[match[2]]
        if not low <= seconds <= high:
            raise ValueError("out of range")
        return seconds

    return parse


def switch(value: object) -> bool:
    """On or off, in the words that people use for it."""
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    if word not in SWITCHES:
        raise ValueError("neither on nor off")
    return SWITCHES[word]


def lower(value: object) -> str:
    """The word in lower case."""
    return str(value).strip().lower()


def text(value: object) -> str:
    """A text as it is."""
    return str(value)


def path(value: object) -> Path:
    """A path; `~` is the user's home."""
    written = str(value)
    if "\0" in written:
        raise ValueError("holds a zero byte")
    return Path(written).expanduser()


def pem(value: object) -> str:
    r"""PEM text. A value that went through a file of variables has \n for its line ends: those are taken too."""
    written = str(value)
    if "\n" not in written.strip():
        written = written.replace("\\n", "\n")
    if "-----BEGIN " not in written:
        raise ValueError("no PEM text")
    return written


def origin(value: object) -> str:
    """A domain name, lower case, without trailing dot."""
    name = str(value).strip().lower().removesuffix(".")
    if len(name) > MAX_NAME:
        raise ValueError("too long")
    if not all(LABEL.fullmatch(label) for label in name.split(".")):
        raise ValueError("not a domain name")
    return name


def address(value: str) -> str:
    """One IP address in its usual spelling."""
    try:
        return str(ip_address(value))
    except ValueError:
        raise ValueError(f"{value!r} is not an IP address") from None


def addresses(value: object) -> Texts:
    """IP addresses."""
    return tuple(address(part) for part in items(value))


def networks(value: object) -> Networks:
    """Networks in CIDR form; host bits are dropped, a bare address is a network of one."""
    if isinstance(value, (tuple, list)):
        return tuple(value)
    try:
        return tuple(ip_network(part, strict=False) for part in items(value))
    except ValueError as error:
        raise ValueError(str(error)) from None


def nameserver(value: str) -> str:
    """IP, IP:PORT or [IP]:PORT, the last for IPv6."""
    bracketed = re.fullmatch(r"\[([^]]+)\](?::([0-9]+))?", value)
    if bracketed:
        host, number = bracketed[1], bracketed[2]
    elif value.count(":") == 1:
        host, number = value.split(":")
    else:
        return address(value)
    host = address(host)
    if number is None:
        return host
    if not 1 <= port(number) <= MAX_PORT:
        raise ValueError(f"{value!r} has no port from 1 to 65535")
    return f"[{host}]:{port(number)}" if ":" in host else f"{host}:{port(number)}"


def nameservers(value: object) -> Texts:
    """Name servers, in the order in which they are asked."""
    return tuple(nameserver(part) for part in items(value))


def masked(text: str) -> str:
    """The text with the user and password of every URL in it hidden (RFC 3986, section 3.2.1)."""
    return _USERINFO.sub(r"\1***@", text)


def docker_host(value: str) -> str:
    """The URL of one engine."""
    scheme, separator, rest = value.partition("://")
    if not separator or scheme not in SCHEMES or not rest:
        raise ValueError(f"{value!r} is no URL of an engine")
    if scheme == "unix":
        return value
    if not urlsplit(value).hostname:
        raise ValueError(f"{value!r} names no host")
    try:
        number = urlsplit(value).port
    except ValueError:
        number = 0
    if number == 0 or (scheme == "tcp" and number is None):
        raise ValueError(f"{value!r} has no port from 1 to 65535")
    return value.rstrip("/")


def docker_hosts(value: object) -> Texts:
    """The engines to watch, each once; at least one."""
    found = tuple(dict.fromkeys(docker_host(part) for part in items(value)))
    if not found:
        raise ValueError("names no engine")
    return found


def web_origin(value: object) -> str:
    """An Origin as browsers send it, or `*`."""
    written = str(value).strip().rstrip("/")
    if written != "*" and not re.fullmatch(r"https?://[^/\s,?#@]+", written):
        raise ValueError("not a web origin")
    return written

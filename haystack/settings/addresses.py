"""Settings that are addresses, networks, name servers or engines: text → what it means, or ValueError saying what is wrong with it.

As in parsers.py, each also takes its own result.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from haystack.settings import engine_url
from haystack.settings.parsers import MAX_PORT, Texts, items, port, switch

Networks = tuple[IPv4Network | IPv6Network, ...]

EVERYWHERE = "0.0.0.0"  # what `:9000` means where an address may stand


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


def admin(value: object) -> bool | str:
    """On, off, or ADDRESS:PORT."""
    written = str(value).strip()
    try:
        return switch(value)
    except ValueError:
        pass
    host, separator, number = written.rpartition(":")
    if not separator or not re.fullmatch(r"[0-9]{1,5}", number):
        raise ValueError("neither on nor off, nor ADDRESS:PORT")
    host = address(host[1:-1] if host.startswith("[") and host.endswith("]") else host or EVERYWHERE)
    return f"[{host}]:{port(number)}" if ":" in host else f"{host}:{port(number)}"


def place(text: str) -> tuple[str, int]:
    """Address and port of what `admin` has read."""
    host, _, number = text.rpartition(":")
    return host.strip("[]"), int(number)


def docker_hosts(value: object) -> Texts:
    """The engines to watch, each once; at least one."""
    texts = items(value)
    if not texts:
        raise ValueError("it names no engine")
    return tuple(dict.fromkeys(_engine(text, alone=len(texts) == 1) for text in texts))


def _engine(text: str, *, alone: bool) -> str:
    try:
        return engine_url.read(text)
    except ValueError as error:
        raise ValueError(str(error) if alone else f"{text!r}: {error}") from None


def web_origin(value: object) -> str:
    """An Origin as browsers send it, or `*`."""
    written = str(value).strip().rstrip("/")
    if written != "*" and not re.fullmatch(r"https?://[^/\s,?#@]+", written):
        raise ValueError("not a web origin")
    return written

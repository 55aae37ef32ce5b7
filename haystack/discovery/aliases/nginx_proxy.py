"""nginx-proxy and acme-companion: VIRTUAL_HOST, _PORT and _PATH, NETWORK_ACCESS and LETSENCRYPT_HOST of a container's environment.

(github.com/nginx-proxy/nginx-proxy, docs/README.md; github.com/nginx-proxy/acme-companion.) No other variable is looked at, and no value is
told but of host names and paths that are used: they are public.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from haystack.discovery.aliases.records import Alias, Carried, Meant
from haystack.model.records import Problem

HOST, PORT, PATH, ACCESS, ENCRYPTED = "VIRTUAL_HOST", "VIRTUAL_PORT", "VIRTUAL_PATH", "NETWORK_ACCESS", "LETSENCRYPT_HOST"
NAMES = (HOST, PORT, PATH, ACCESS, ENCRYPTED)
OPEN, INSIDE = "external", "internal"  # of NETWORK_ACCESS


def taken(environment: Iterable[Any]) -> dict[str, str]:
    """The variables of these names, of `NAME=VALUE`s."""
    pairs = (each.partition("=") for each in environment if isinstance(each, str) and each.startswith(NAMES))
    return {name: value.strip() for name, _, value in pairs if name in NAMES and value.strip()}


def read(carried: Carried) -> Meant:
    """What these variables mean. Without VIRTUAL_HOST, none of them means anything."""
    given = carried.environment
    hosts, problems = _hosts(given.get(HOST, ""))
    if not hosts:
        return {}, problems
    found = {"haystack.host": _alias(",".join(hosts), HOST)}
    if port := given.get(PORT) or _only_port(carried.exposed):
        found["haystack.port"] = _alias(port, PORT)
    if path := given.get(PATH):
        found["haystack.path"] = _alias(path, PATH)
    access = given.get(ACCESS, OPEN)
    if access != OPEN:
        found["haystack.public"] = _alias("false", ACCESS)
    encrypted, odd = _hosts(given.get(ENCRYPTED, ""), ENCRYPTED)
    if access not in (OPEN, INSIDE):
        odd.append(Problem(subject=f"variable {ACCESS}", message=f"its value is neither {INSIDE} nor {OPEN}; taken as {INSIDE}"))
    if encrypted:
        found["haystack.https"] = _alias("redirect", ENCRYPTED)
        if set(encrypted) - set(hosts):
            odd.append(Problem(subject=f"variable {ENCRYPTED}", message=f"has names that {HOST} has not: they get no certificate"))
    return found, problems + odd


def _hosts(text: str, variable: str = HOST) -> tuple[list[str], list[Problem]]:
    """Host names, and Problems for those of a kind that Haystack has not."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    kinds = {name: _kind(name) for name in names}
    problems = [Problem(subject=f"variable {variable}", message=f"{kind}; ignored") for kind in dict.fromkeys(kinds.values()) if kind]
    return [name for name in names if not kinds[name]], problems


def _kind(name: str) -> str:
    """Why a host is none that Haystack can have; empty: it may be one."""
    if name.startswith("~"):
        return "a regular expression is not understood: name the hosts, or use *.DOMAIN"
    return "a wildcard at the end is not understood: name the hosts" if name.endswith(".*") else ""


def _only_port(exposed: Iterable[str]) -> str:
    """The port of a container that exposes one only, which nginx-proxy takes then; empty: it exposes others."""
    numbers = {number for number, _, protocol in (each.partition("/") for each in exposed) if protocol in ("", "tcp")}
    return numbers.pop() if len(numbers) == 1 else ""


def _alias(text: str, variable: str) -> Alias:
    return Alias(text=text, origin=f"variable {variable}", shown=False)

"""nginx-proxy and acme-companion: the variables of a container's environment that say who is to reach it, and how.

(github.com/nginx-proxy/nginx-proxy, docs/README.md; github.com/nginx-proxy/acme-companion.) No value of another variable is
looked at, and none is told but of host names and paths that are used: they are public.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from haystack.discovery.aliases.records import Alias, Carried, Meant
from haystack.model.records import Problem

HOST, PORT, PATH, PROTO = "VIRTUAL_HOST", "VIRTUAL_PORT", "VIRTUAL_PATH", "VIRTUAL_PROTO"
ACCESS, METHOD, ENCRYPTED = "NETWORK_ACCESS", "HTTPS_METHOD", "LETSENCRYPT_HOST"
NAMES = (HOST, PORT, PATH, PROTO, ACCESS, METHOD, ENCRYPTED)
OPEN, INSIDE = "external", "internal"  # of NETWORK_ACCESS
PROTOCOLS = {"http": "http", "https": "https", "grpc": "h2c", "grpcs": "h2"}  # of VIRTUAL_PROTO
METHODS = {"redirect": "redirect", "noredirect": "on", "nohttps": "off", "nohttp": "redirect"}  # of HTTPS_METHOD
MULTIPORTS = "VIRTUAL_HOST_MULTIPORTS"
UNREAD = {
    MULTIPORTS: "is not understood: give each host name a container with VIRTUAL_HOST and VIRTUAL_PORT; ignored",
    "VIRTUAL_DEST": "is not understood: Haystack forwards paths unchanged; ignored",
    "CERT_NAME": "is not understood: certificates in HAYSTACK_CERTS are found by the host names in them; ignored",
}


def last(environment: Iterable[Any]) -> dict[str, str]:
    """The variables of these names, of `NAME=VALUE`s, where the last of a name counts: also one that takes the value away."""
    pairs = (each.partition("=") for each in environment if isinstance(each, str) and each.startswith((*NAMES, *UNREAD)))
    return {name: value.strip() for name, _, value in pairs if name in (*NAMES, *UNREAD)}


def taken(environment: Iterable[Any]) -> dict[str, str]:
    """The variables that have a value. A variable that Haystack does not read is listed with an empty value."""
    return {name: value if name in NAMES else "" for name, value in last(environment).items() if value}


def read(carried: Carried) -> Meant:
    """What these variables mean. Without VIRTUAL_HOST, none of them means anything."""
    given = carried.environment
    hosts, problems = _hosts(given.get(HOST, ""))
    told = (name for name in UNREAD if name in given and (given.get(HOST) or name == MULTIPORTS))
    problems += [_problem(name, UNREAD[name]) for name in told]
    if not hosts:
        return {}, problems
    found = {"haystack.host": _alias(",".join(hosts), HOST)}
    if port := given.get(PORT) or _only_port(carried.exposed):
        found["haystack.port"] = _alias(port, PORT)
    if path := given.get(PATH):
        found["haystack.path"] = _alias(path, PATH)
    for take in (_protocol, _access, _encryption):
        problems += take(given, hosts, found)
    return found, problems


def _protocol(given: Mapping[str, str], _hosts: list[str], found: dict[str, Alias]) -> Iterator[Problem]:
    asked = given.get(PROTO, "http").lower()
    if asked not in PROTOCOLS:
        yield _problem(PROTO, f"its value is not one of {', '.join(PROTOCOLS)}; ignored")
    elif PROTOCOLS[asked] != "http":
        found["haystack.protocol"] = _alias(PROTOCOLS[asked], PROTO)


def _access(given: Mapping[str, str], _hosts: list[str], found: dict[str, Alias]) -> Iterator[Problem]:
    access = given.get(ACCESS, OPEN)
    if access != OPEN:
        found["haystack.public"] = _alias("false", ACCESS)
    if access not in (OPEN, INSIDE):
        yield _problem(ACCESS, f"its value is neither {INSIDE} nor {OPEN}; taken as {INSIDE}")


def _encryption(given: Mapping[str, str], hosts: list[str], found: dict[str, Alias]) -> Iterator[Problem]:
    encrypted, odd = _hosts(given.get(ENCRYPTED, ""), ENCRYPTED)
    yield from odd
    if set(encrypted) - set(hosts):
        yield _problem(ENCRYPTED, f"has names that {HOST} has not: they get no certificate")
    method = given.get(METHOD, "").lower()
    if method in METHODS:
        found["haystack.https"] = _alias(METHODS[method], METHOD)
    elif encrypted:
        found["haystack.https"] = _alias("redirect", ENCRYPTED)
    if method and method not in METHODS:
        yield _problem(METHOD, f"its value is not one of {', '.join(METHODS)}; ignored")


def _hosts(text: str, variable: str = HOST) -> tuple[list[str], list[Problem]]:
    """Host names, and Problems for those of a kind that Haystack has not."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    kinds = {name: _kind(name) for name in names}
    problems = [_problem(variable, f"{kind}; ignored") for kind in dict.fromkeys(kinds.values()) if kind]
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


def _problem(variable: str, message: str) -> Problem:
    return Problem(subject=f"variable {variable}", message=message)


def _alias(text: str, variable: str) -> Alias:
    return Alias(text=text, origin=f"variable {variable}", shown=False)

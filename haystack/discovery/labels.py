"""The haystack.* labels of a container → Options, and a Problem for each label that was ignored.

Pure and total. A bad value costs that label alone, never the container. Never does: naming, choosing an address.
Called by discovery for each container; what the options mean is decided by those who read them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from ipaddress import ip_address
from typing import Any

from haystack.discovery import health_labels, label_names
from haystack.discovery.health_labels import HEALTH
from haystack.discovery.label_names import PREFIX
from haystack.discovery.label_values import SHOWN, TOKEN, BadValueError, seconds
from haystack.discovery.label_values import bad as _bad
from haystack.discovery.label_values import path as _path
from haystack.discovery.label_values import whole as _int
from haystack.health.policy import POLICIES
from haystack.model import naming, ports, spelling
from haystack.model.records import SEALED, SPOKEN, Options, Problem
from haystack.model.service_options import RETRIED
from haystack.settings import balance

ITSELF = "haystack.itself"  # on Haystack's own image: such a container is never registered
LONGEST = 190  # characters of haystack.name
NEVER_SWITCHED = ("h2", "h3", "tls", "ssl")  # names begin so; a worker drops them, too (_fast/http1/upgrade.pyx)
HTTPS = ("on", "off", "redirect", "passthrough")
INTRODUCTIONS = {"off": 0, "v1": 1, "v2": 2}  # versions of the PROXY header


class BadHostsError(BadValueError):
    """Some of the hosts in a label are none, each with what is to be done; the others are good."""

    def __init__(self, good: tuple[str, ...], told: list[str]) -> None:
        super().__init__("; ".join(told))
        self.good, self.told = good, told


def read(labels: Mapping[str, str]) -> tuple[Options, tuple[Problem, ...]]:
    """Options of the labels that are good, Problems of those that are not."""
    found: dict[str, Any] = {}
    health: dict[str, str] = {}
    problems: list[Problem] = []
    for key in sorted(k for k in labels if k != ITSELF and label_names.is_ours(k, _PLAIN)):
        try:
            _take(key, labels[key].strip(), found, health)
        except BadHostsError as error:
            found["hosts"] = error.good
            problems += [Problem(subject=f"label {key}", message=f"{told}; this host ignored") for told in error.told]
        except BadValueError as error:
            problems.append(Problem(subject=f"label {key[:SHOWN]}", message=f"{error}; label ignored"))
    problems += health_labels.problems(health)
    options = Options(**found, labelled=bool(found or health), health=health)
    return options, (*problems, *_about_tls(found, options))


def _about_tls(found: Mapping[str, Any], options: Options) -> Iterator[Problem]:
    """What is odd of TLS to the container, though each label by itself is good."""
    if options.protocol not in SEALED:
        useless = [word for word, (field, _) in _READERS.items() if word.startswith("tls.") and field in found]
        message = "has no effect without haystack.protocol=https or h2"
        yield from (Problem(subject=f"label {PREFIX}{word}", message=message) for word in useless)
    elif not options.tls_verify:
        message = "is off: who gets between Haystack and the container can read and change everything; use haystack.tls.ca instead"
        yield Problem(subject=f"label {PREFIX}tls.verify", message=message)


def _take(key: str, text: str, found: dict[str, Any], health: dict[str, str]) -> None:
    """Check one label and store it."""
    word = key.removeprefix(PREFIX)
    if not key.startswith(PREFIX) or word not in NAMES:
        raise BadValueError(f"no such label; {_meant(key)}")
    if key.startswith(HEALTH):
        word = key.removeprefix(HEALTH)
        health[word] = health_labels.read(word, text)
        return
    field, reader = _READERS[word]
    found[field] = reader(text)


def _meant(key: str) -> str:
    """The label that was meant, or all that there are."""
    near = label_names.nearest_name(key, NAMES)
    return f"did you mean {near}?" if near else f"there are {', '.join(sorted(_READERS))}, health.*"


def _bool(text: str) -> bool:
    if (found := spelling.truth(text)) is None:
        raise _bad(text, "true or false")
    return found


def _name(text: str) -> str:
    """A service name of one or more labels; shorter than a name may be, for the origin comes behind it."""
    name = text.lower().rstrip(".")
    if naming.is_name(name) and len(name) <= LONGEST:
        return name
    raise _bad(text, "a DNS name of letters, digits, dashes and dots")


def _group(text: str) -> str:
    if not naming.label(text):
        raise _bad(text, "a name with letters or digits")
    return text


def _hosts(text: str) -> tuple[str, ...]:
    """Host names; whether a container may have them, host_names.py decides: that depends on the origin."""
    hosts = tuple(dict.fromkeys(_lower(h.strip()).removesuffix(".") for h in text.split(",") if h.strip()))
    if not hosts:
        raise _bad(text, "a list of host names")
    good = tuple(h for h in hosts if naming.is_name(h.removeprefix("*.")))
    if len(good) < len(hosts):
        raise BadHostsError(good, [str(_bad(h, _no_host(h))) for h in hosts if h not in good])
    return hosts


def _lower(text: str) -> str:
    """In lower case; what is not ASCII stays what it is, for the Kelvin sign would become a k."""
    return text.lower() if text.isascii() else text


def _no_host(host: str) -> str:
    """What a text that is no host name should be instead."""
    if host == "*":
        return "a host name: give *. and a domain, as in *.example.com"
    if not host.isascii():
        return "a host name as clients send it: give its ASCII form, which begins with xn--"
    if "/" in host or "?" in host:
        return "a host name: remove scheme, port and path; for a path, use haystack.path"
    if host.startswith("[") or host.count(":") > 1:
        return "a host name: IP addresses are Haystack's own"
    if ":" in host:
        return "a host name: remove the port; to choose a port, use haystack.port"
    return "a host name of letters, digits, dashes and dots, optionally with *. before it"


def _balance(text: str) -> str:
    try:
        return balance.read(text)
    except ValueError:
        raise _bad(text, balance.TAKES) from None


def _token(text: str) -> str:
    if TOKEN.fullmatch(text):
        return text
    raise _bad(text, "a cookie name")


def _some(text: str) -> str:
    if text:
        return text
    raise _bad(text, "a network's name")


def _policy(text: str) -> str:
    if text.lower() in POLICIES:
        return text.lower()
    raise _bad(text, f"one of {', '.join(POLICIES)}")


def _wait(text: str) -> float:
    """How long requests wait for an endpoint: a duration, or off."""
    if spelling.truth(text) is False:
        return 0.0
    try:
        return seconds(text)
    except BadValueError:
        raise _bad(text, "a duration such as 500ms or 30s, or off") from None


def _retry(text: str) -> tuple[int, ...]:
    """After which answers another endpoint is asked: statuses, or off."""
    if spelling.truth(text) is False:
        return ()
    found = {word.strip() for word in text.split(",")}
    if found <= {str(status) for status in RETRIED}:
        return tuple(sorted(int(status) for status in found))
    raise _bad(text, "off, or some of 500, 502, 503 and 504")


def _upgrade(text: str) -> tuple[str, ...]:
    """Protocols that a client may switch to beside websocket (RFC 9110, section 7.8)."""
    names = tuple(dict.fromkeys(word.strip().lower() for word in text.split(",") if word.strip()))
    for name in names:
        if name.startswith(NEVER_SWITCHED) or name in ("http", "https"):
            raise _bad(name, "a protocol that can be forwarded: h2c and TLS never are")
        if not TOKEN.fullmatch(name):
            raise _bad(name, "a protocol's name, without its version")
    if not names:
        raise _bad(text, "a list of protocols, or any")
    return names


def _protocol(text: str) -> str:
    """How the container's HTTP ports are spoken to."""
    if text.lower() in SPOKEN:
        return text.lower()
    raise _bad(text, f"one of {', '.join(SPOKEN)}")


def _file(text: str) -> str:
    """A file of Haystack's own. Whether it is there is seen by whoever reads it."""
    if text.startswith("/") and text.isprintable():
        return text
    raise _bad(text, "the path of a file, from / on")


def _server_name(text: str) -> str:
    """A name that a certificate may be for (RFC 9525, section 6)."""
    name = text.lower().removesuffix(".")
    with suppress(ValueError):
        address = ip_address(name.strip("[]"))
        if "%" not in name:  # no certificate is for an address with a zone
            return str(address)
    if naming.is_name(name):
        return name
    raise _bad(text, "a host name or an IP address")


def _https(text: str) -> str:
    if text.lower() in HTTPS:
        return text.lower()
    raise _bad(text, "on, off, redirect or passthrough")


def _introduces(text: str) -> int:
    """Which version of the PROXY header its connections begin with; 0: none."""
    word = "off" if spelling.truth(text) is False else text.lower()
    if word in INTRODUCTIONS:
        return INTRODUCTIONS[word]
    raise _bad(text, "v1, v2 or off")


def _hsts(text: str) -> int:
    """For how long browsers are to use HTTPS alone: seconds."""
    try:
        return max(1, int(seconds(text)))
    except BadValueError:
        raise _bad(text, "a duration such as 1h or 180d") from None


_READERS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "enable": ("enable", _bool),
    "name": ("name", _name),
    "group": ("group", _group),
    "port": ("port", _int(1, ports.HIGHEST)),
    "network": ("network", _some),
    "host": ("hosts", _hosts),
    "health": ("health_policy", _policy),
    "path": ("path", _path),
    "weight": ("weight", _int(0, 65535)),
    "balance": ("balance", _balance),
    "sticky": ("sticky", _token),
    "max_connections": ("max_connections", _int(1, 1_000_000)),
    "timeout": ("timeout", seconds),
    "wait": ("wait", _wait),
    "retry": ("retry", _retry),
    "upgrade": ("upgrade", _upgrade),
    "https": ("https", _https),
    "hsts_max_age": ("hsts_max_age", _hsts),
    "proxy_protocol": ("proxy_protocol", _introduces),
    "eject": ("eject", _bool),
    "public": ("public", _bool),
    "protocol": ("protocol", _protocol),
    "tls.ca": ("tls_ca", _file),
    "tls.server_name": ("tls_server_name", _server_name),
    "tls.verify": ("tls_verify", _bool),
}
NAMES = (*_READERS, *(f"health.{word}" for word in health_labels.WORDS))  # of all labels, without their prefix
_PLAIN = frozenset(map(label_names.plain, NAMES))

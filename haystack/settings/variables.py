"""Variables of the environment that look like settings and are none: one that is a misspelt setting stops the start, others are told.

Docker's links (`--link haystack`) and Kubernetes set variables named after services: for one that is called haystack these begin with
HAYSTACK_ too, and must never stop a start. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from haystack.model.spelling import nearest
from haystack.settings.settings import Settings, SettingsError, variable

PREFIX, DOCKER = "HAYSTACK_", "DOCKER_"
LIKE = 0.65  # likeness of a name to a setting's from which on that is named
MISSPELT = 0.8  # likeness of a name to a setting's from which on it is taken for one
_INJECTED = re.compile(
    r"HAYSTACK(_.+)?_(SERVICE_(HOST|PORT(_.+)?)|PORT_[0-9]+_(TCP|UDP|SCTP)(_(ADDR|PORT|PROTO))?|ENV_.+)|HAYSTACK_(NAME|PORT)", re.DOTALL
)
# What other programs call it → the setting
_FOREIGN = {
    **dict.fromkeys(("LISTEN", "LISTEN_ADDR", "LISTEN_ADDRESS", "HOST", "ADDR", "BIND_ADDR", "BIND_ADDRESS", "INTERFACE"), "HAYSTACK_BIND"),
    **dict.fromkeys(("DOMAIN", "TLD", "ZONE", "SUFFIX"), "HAYSTACK_ORIGIN"),
    **dict.fromkeys(("THREADS", "PROCESSES", "CPUS"), "HAYSTACK_WORKERS"),
    **dict.fromkeys(("SSH_KEY", "SSH_KEYS", "AUTHORIZED_KEYS", "PUBLIC_KEY"), "HAYSTACK_SSH_AUTHORIZED_KEYS"),
    **dict.fromkeys(("UPSTREAM_DNS", "RESOLVER", "RESOLVERS", "NAMESERVER", "DNS_SERVERS", "DNS"), "HAYSTACK_DNS_NAMESERVERS"),
    **dict.fromkeys(("VERBOSITY", "LOGGING"), "HAYSTACK_LOG_LEVEL"),
    **dict.fromkeys(("DATA", "DATA_DIR", "DATADIR"), "HAYSTACK_STATE_DIR"),
    **dict.fromkeys(("EMAIL", "LETSENCRYPT_EMAIL"), "HAYSTACK_ACME_EMAIL"),
}
_ADDRESS = re.compile(r"(tcp|udp|sctp)://")


def refuse_misspelt(environment: Mapping[str, str]) -> None:
    """Raises SettingsError for a variable that is a misspelt setting."""
    if line := misspelt(environment):
        raise SettingsError(line)


def misspelt(environment: Mapping[str, str]) -> str | None:
    """One line about the first variable that is a misspelt setting; None: there is none."""
    for name in sorted(_strangers(environment)):
        if name.upper().startswith(PREFIX) and not injected(name, environment[name]) and (right := _right(name, MISSPELT)):
            return f"{name} is not a setting: did you mean {right}?"
    return None


def unknown(environment: Mapping[str, str]) -> dict[str, str]:
    """Variables that are no settings and are ignored → the setting that was meant, perhaps; empty: none is like it."""
    return {name: right for name in sorted(_strangers(environment)) if (right := _told(name, environment[name])) is not None}


def injected(name: str, text: str) -> bool:
    """Whether Docker's links or Kubernetes set such a variable."""
    return bool(_INJECTED.fullmatch(name) or (name.endswith("_PORT") and _ADDRESS.match(text)))


def lines(environment: Mapping[str, str]) -> list[str]:
    """A line for a person about each of the unknown ones."""
    found = unknown(environment)
    return [f"{name} is not a setting and ignored" + (f": did you mean {right}?" if right else "") for name, right in found.items()]


def _told(name: str, text: str) -> str | None:
    """None: nothing is to be told of it. Docker's own variables are many, so of these only one that is nearly a setting's counts."""
    if name.upper().startswith(DOCKER):
        return _right(name, MISSPELT) or None
    return "" if injected(name, text) else _FOREIGN.get(name.upper().removeprefix(PREFIX), "") or _right(name)


def _strangers(environment: Mapping[str, str]) -> set[str]:
    known = {variable(field) for field in Settings.model_fields}
    return {name for name in environment if name.upper().startswith((PREFIX, DOCKER)) and name not in known}


def _right(given: str, cutoff: float = LIKE) -> str:
    """The setting nearest to this name. What all have in common before it says nothing."""
    upper = given.upper().replace("-", "_").replace(".", "_")
    prefix = PREFIX if upper.startswith(PREFIX) else DOCKER
    known = [variable(field).removeprefix(prefix) for field in Settings.model_fields if variable(field).startswith(prefix)]
    name = upper.removeprefix(prefix)
    found = _same_words(name, known) or nearest(name, known, cutoff)
    return prefix + found if found else ""


def _same_words(name: str, known: list[str]) -> str:
    """The setting of the same words in another order."""
    words = sorted(name.split("_"))
    return next((each for each in known if sorted(each.split("_")) == words), "")

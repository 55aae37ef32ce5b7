"""Which names are to have certificates: each public haystack.host, those of one service together. Pure, in turns.

Follows snapshots by what has changed in them. Never does: look at certificates, ask anybody.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from haystack.loop.turns import Turns
from haystack.model.services import PASSTHROUGH, Service
from haystack.model.snapshot import Change

WILDCARD = "*."
Groups = Mapping[str, tuple[str, ...]]  # service → its names


class Picture(Protocol):
    """What it reads of a snapshot."""

    @property
    def version(self) -> int:
        """Counts up with each snapshot."""

    @property
    def services(self) -> Mapping[str, Service]:
        """By whole name."""

    def changed_since(self, version: int | None) -> Change | None:
        """What differs from that version; None: anything may."""


class Wanted:
    """names: of the newest snapshot, by service; the very same where nothing is other. usual: haystack.https where it is not set."""

    def __init__(self, usual: str = "on") -> None:
        self._usual = usual
        self.names: Groups = {}
        self._version: int | None = None

    def follow(self, snapshot: Picture) -> Turns[None]:
        """Bring `names` up to date."""
        change = snapshot.changed_since(self._version)
        names = dict(self.names) if change is not None else {}
        for service in snapshot.services if change is None else change.services:
            found = of(snapshot.services.get(service), self._usual)
            names.pop(service, None)
            if found:
                names[service] = found
            yield
        self._version = snapshot.version
        if names != self.names:
            self.names = names


def of(service: Service | None, usual: str = "on") -> tuple[str, ...]:
    """The names of one service, in order; none of those that are not served within TLS, or whose container ends that itself."""
    if service is None or not service.claims:
        return ()
    sealed = {c.host for c in service.claims if c.public and (c.https or usual) not in ("off", PASSTHROUGH)}
    return tuple(sorted(sealed - service.passed))


def why_not(name: str, *, public: bool) -> str:
    """Why no authority can be asked for a certificate of this name; empty: one can. public: it is an authority for everybody."""
    bare = name.removeprefix(WILDCARD)
    if "*" in bare:
        return "only the first label of a name may be a wildcard"
    last = bare.rpartition(".")[2]
    if last == "localhost":
        return "localhost is each machine's own (RFC 6761): HAYSTACK_TLS_LOCAL=on makes certificates for such names"
    if public and ("." not in bare or last in PRIVATE):
        return f"no public authority issues certificates for names under {last}"
    return ""


PRIVATE = frozenset({"alt", "arpa", "corp", "example", "home", "internal", "invalid", "lan", "local", "mail", "onion", "test"})

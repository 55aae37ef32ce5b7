"""Whether a name leads to us, as far as we can see: asked before an authority is, which would only find the same and count it against us.

By address where our own are known (HAYSTACK_ADDRESS, or those of this machine). Behind another's address, as in a container, only asking
there tells (who_answers.py), in the way in which the authority will. Blocks nobody: each look is bounded.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import secrets
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple, Protocol

from haystack.dns.outside import OutsideError
from haystack.tls.acme.errors import ChallengeError
from haystack.tls.acme.orders import Proof
from haystack.tls.acme.wanted import WILDCARD
from haystack.tls.acme.who_answers import Heard

MOST = 8  # addresses of a name that are asked
_ADDRESS = "set HAYSTACK_ADDRESS to the address at which others reach Haystack, if it is that one"


class Reachable(Protocol):
    """Whether the authority would find us under a name."""

    async def why_not(self, name: str) -> str:
        """Why not; empty: it would."""


class Ways:
    """reach: of names without a wildcard; dns: of the others, by dns-01; None where that can't be had."""

    def __init__(self, reach: Reachable, dns: Reachable | None) -> None:
        self._reach, self._dns = reach, dns

    @property
    def wildcards(self) -> bool:
        """Whether there can be certificates for them."""
        return self._dns is not None

    async def why_not(self, name: str) -> str:
        """Why a name does not lead here; empty: it does. By dns-01 it need not, but what is to be shown of it has to."""
        bare = name.removeprefix(WILDCARD)
        found = await self._dns.why_not(bare) if self._dns is not None else "a wildcard needs dns-01"
        return await self._reach.why_not(name) if found and not name.startswith(WILDCARD) else found


class World(Protocol):
    """The Outside."""

    async def addresses(self, name: str) -> tuple[str, ...]:
        """All that the name has. Raises OutsideError."""

    async def leads_to(self, name: str) -> str:
        """Where CNAMEs at the name end. Raises OutsideError."""


class Shown(Protocol):
    """The part of Haystack that answers challenges of one kind."""

    async def show(self, proof: Proof) -> None:
        """Show this from now on. Raises ChallengeError."""

    async def hide(self, proof: Proof) -> None:
        """And no more."""


class Way(NamedTuple):
    """How an address is asked. port: for people."""

    shown: Shown
    ask: Callable[[str, Proof], Awaitable[Heard]]
    port: int


Ours = Callable[[], Sequence[object]]


class Reach:
    """world: DNS as others see it; way: how the authority will look; ours: our own addresses; given: whether a person has set these."""

    def __init__(self, world: World, way: Way, ours: Ours, *, given: bool) -> None:
        self._world = world
        self._way = way
        self._ours = ours
        self._given = given

    async def why_not(self, name: str) -> str:
        """Why an authority that asks for this name would not find us; empty: it would."""
        try:
            found = await self._world.addresses(name)
        except OutsideError as error:
            return f"DNS does not say where {name} leads: {error}"
        if not found:
            return f"DNS has no address for {name}"
        ours = {ipaddress.ip_address(str(each)) for each in self._ours()}
        if any(ipaddress.ip_address(each) in ours for each in found):
            return ""
        told = f"{name} leads to {', '.join(found[:MOST])}, which is not Haystack's address"
        return f"{told} (HAYSTACK_ADDRESS)" if self._given else await self._asked(name, found, told)

    async def _asked(self, name: str, addresses: Sequence[str], told: str) -> str:
        """Who answers there: us, or somebody else."""
        proof = Proof(name, secrets.token_urlsafe(32), secrets.token_urlsafe(32))
        shown, ask, port = self._way
        try:
            await shown.show(proof)
        except ChallengeError as error:
            return str(error)
        try:
            heard = await asyncio.gather(*(ask(each, proof) for each in addresses[:MOST]))
        finally:
            await shown.hide(proof)
        if Heard.US in heard:
            return ""
        if Heard.ANOTHER in heard:
            return f"{told}: something else answers there"
        return f"{told}, and nothing answers at its port {port} from here; {_ADDRESS}"


def within(name: str, zone: str) -> bool:
    """Whether a name is that zone's, or below it."""
    return bool(zone) and f".{name}".endswith(f".{zone}")


async def challenge_name(world: World, name: str, zone: str, label: str) -> str:
    """Where the records for a name's dns-01 are to be, without the label in front: the name, or where a CNAME leads. Raises ChallengeError.

    zone: what is delegated to us.
    """
    if within(name, zone) or f"{label}.{name}" == zone:
        return name
    found = f"{label}.{name}"
    with contextlib.suppress(OutsideError):
        found = await world.leads_to(found)
    inside = found.removeprefix(f"{label}.")
    if not within(inside, zone) or inside == found:
        raise ChallengeError({name: f"dns-01 needs a CNAME record from {label}.{name} to {label}.{name}.{zone}"})
    return inside

"""Which of a container's addresses to use, and why: pure, and the same answer for the same container every time.

The order is product.md's: the label's network; a network that Haystack is on; global scope before local; the network's
name. Never does: I/O; what it must know of the surroundings it is given. The docker provider's view calls it.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from haystack.discovery.inspect import SHARED, Found
from haystack.model import Attachment, Container, Network, Problem, Record

GLOBAL = ("global", "swarm")
INGRESS = "ingress"  # Swarm's own: containers are on it, but not to be reached there


class Surroundings(Record, frozen=True, kw_only=True):
    """What an address depends on beside the container. own: ids of the networks that Haystack is on."""

    networks: Mapping[str, Network] = {}
    own: frozenset[str] = frozenset()
    engine_address: str | None = None


def placed(found: Found, around: Surroundings, others: Mapping[str, Found]) -> Container:
    """The container with its address chosen. others: by id, for one that shares another's network stack."""
    mode = found.network_mode
    attachments = _scoped(found.container.attachments, around)
    if mode.startswith(SHARED):
        other = others.get(mode.removeprefix(SHARED))
        if other is None or other.network_mode.startswith(SHARED):
            return replace(found.container, address_reason=f"shares the network of {mode[len(SHARED) :][:12]}, not known")
        there = placed(other, around, {})
        reason = f"shares the network of {there.name}: {there.address_reason}"
        return replace(found.container, address=there.address, address6=there.address6, network=there.network, address_reason=reason)
    if mode == "host" or any(a.network == "host" for a in attachments):
        return _on_host(found.container, attachments, around)
    return _chosen(found.container, attachments, around)


def _scoped(attachments: tuple[Attachment, ...], around: Surroundings) -> tuple[Attachment, ...]:
    """The attachments with the scopes of their networks."""
    return tuple(replace(a, scope=around.networks[a.network_id].scope) if a.network_id in around.networks else a for a in attachments)


def _on_host(container: Container, attachments: tuple[Attachment, ...], around: Surroundings) -> Container:
    address = around.engine_address
    six = address if address and ":" in address else None
    return replace(
        container,
        attachments=attachments,
        network="host",
        address=None if six else address,
        address6=six,
        address_reason="host network: its engine's address" if address else "host network, but its engine's address is not known",
    )


def _chosen(container: Container, attachments: tuple[Attachment, ...], around: Surroundings) -> Container:
    usable = [a for a in attachments if a.ipv4 or a.ipv6]
    wanted = container.options.network
    problems = container.problems
    if wanted and not any(wanted in (a.network, a.network_id) for a in usable):
        message = f"it has no address on a network {wanted[:80]!r}; label ignored"
        problems = (*problems, Problem(subject="label haystack.network", message=message))
        wanted = None
    if not usable:
        reason = "no address on any network"
        return replace(container, attachments=attachments, problems=problems, address_reason=reason)
    best = min(usable, key=lambda a: _rank(a, wanted, around))
    return replace(
        container,
        attachments=attachments,
        network=best.network,
        address=best.ipv4,
        address6=best.ipv6,
        address_reason=_reason(best, usable, wanted, around),
        problems=problems,
    )


def _rank(a: Attachment, wanted: str | None, around: Surroundings) -> tuple[bool, bool, bool, bool, str]:
    """Lowest is best."""
    return (
        wanted not in (a.network, a.network_id),
        a.network == INGRESS,
        a.network_id not in around.own,
        a.scope not in GLOBAL,
        a.network,
    )


def _reason(best: Attachment, usable: list[Attachment], wanted: str | None, around: Surroundings) -> str:
    """Why `best` is best, for people."""
    if wanted is not None:
        return f"network {best.network}: asked for by label haystack.network"
    if len(usable) == 1:
        return f"network {best.network}: its only one"
    if best.network_id in around.own:
        return f"network {best.network}: Haystack is on it too"
    if best.scope in GLOBAL and any(a.scope not in GLOBAL for a in usable):
        return f"network {best.network}: {best.scope} scope before local"
    return f"network {best.network}: first by name"

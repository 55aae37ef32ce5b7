"""Whose network stack a container is on: its own, or that of another one (`container:ID`), which may be on that of a third.

Pure. Never does: choosing an address (address.py), asking an engine.
"""

from __future__ import annotations

from collections.abc import Mapping

from haystack.discovery.command_lines import command
from haystack.discovery.docker.inspect import SHARED, Found
from haystack.model.records import Obstacle, Record

FULL = 64  # digits of a whole id


class Stack(Record, frozen=True, kw_only=True):
    """owner: whose network stack it is; None: nobody's who is known to run, `missing` is what was named.

    anew, restart: where somebody was started anew after one that is on its network stack, its name, and the names of those that are to be
    started again, in that order: they are on a stack of which nobody knows any more.
    """

    owner: Found | None
    missing: str = ""
    anew: str = ""
    restart: tuple[str, ...] = ()

    @property
    def obstacle(self) -> Obstacle | None:
        """What that means for who wants to reach it."""
        if not self.restart:
            return None
        typed = " && ".join(command("docker restart", name) for name in self.restart)
        why = f"it is on a network stack that {self.anew} had before its restart"
        return Obstacle(why=why, remedy=f"type `{typed}`", refusal=True)


def of(found: Found, others: Mapping[str, Found]) -> Stack:
    """The stack that this container is on. others: by id."""
    chain = [found]
    while (mode := chain[-1].network_mode).startswith(SHARED):
        named = mode.removeprefix(SHARED)
        other = others.get(named) or _named(named, others)
        if other is None or other in chain:
            return Stack(owner=None, missing=named)
        chain.append(other)
    for at in reversed(range(len(chain) - 1)):
        if chain[at].container.since < chain[at + 1].container.since and chain[at].container.since:
            restart = tuple(each.container.name for each in reversed(chain[: at + 1]))
            return Stack(owner=chain[-1], anew=chain[at + 1].container.name, restart=restart)
    return Stack(owner=chain[-1])


def _named(named: str, others: Mapping[str, Found]) -> Found | None:
    """Docker writes whole ids; other engines may keep what was typed."""
    if len(named) == FULL or not named:
        return None
    return next((f for i, f in others.items() if f.container.name == named or i.startswith(named)), None)

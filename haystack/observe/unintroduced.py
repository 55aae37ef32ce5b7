"""Tells the log of connections that had to begin with a PROXY header and did not: of the first one, and then how many a minute."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack

from haystack.observe.counted_lines import Tally


def begun(stack: AsyncExitStack) -> Callable[[Sequence[tuple[str, str]]], None]:
    """What is to hear of them, (address, why) each, until the stack is left."""
    tally = Tally("client.unintroduced", "haystack.proxy")
    stack.callback(tally.close)

    def hear(rows: Sequence[tuple[str, str]]) -> None:
        for peer, why in rows:
            tally.note(peer, reason=why)

    return hear

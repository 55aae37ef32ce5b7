"""The options of services without labels, by settings that a test chooses."""

from __future__ import annotations

from types import SimpleNamespace

from haystack.routing.routing_table import Usual


def usual(balance: str, timeout: float, wait: float, https: str = "on", *, near: bool = True) -> Usual:
    """By HAYSTACK_BALANCE, _TIMEOUT and _WAIT in seconds, _HTTPS and _LOCALITY."""
    return Usual.of(SimpleNamespace(balance=balance, timeout=timeout, wait=wait, https=https, locality=near))

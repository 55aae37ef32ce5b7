"""Whom a worker believes: addresses in the networks of HAYSTACK_TRUSTED_PROXIES. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from functools import lru_cache


def trusts(networks: tuple[str, ...]) -> Callable[[str], bool | None] | None:
    """Whether an address lies in one of the networks (None: it is no address); None where there are none, which costs nothing."""
    if not networks:
        return None
    parsed = [ipaddress.ip_network(n, strict=False) for n in networks]

    @lru_cache(4096)
    def trusted(text: str) -> bool | None:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return None
        return any(address in n for n in parsed)

    return trusted

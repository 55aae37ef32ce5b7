"""HAYSTACK_ALIASES: other proxies whose labels and variables are read (discovery/aliases). Pure."""

from __future__ import annotations

from haystack.settings import parsers
from haystack.settings.parsers import Texts

KINDS = ("nginx-proxy", "traefik")
TAKES = "comma separated nginx-proxy and traefik"


def read(value: object) -> Texts:
    """Their names, the one that counts first before the others. Raises ValueError."""
    names = tuple(dict.fromkeys(parsers.lower(part).replace("_", "-") for part in parsers.items(value)))
    for name in names:
        if name not in KINDS:
            raise ValueError(f"there is no {name!r}")
    return names

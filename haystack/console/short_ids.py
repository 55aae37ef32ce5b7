"""Ids and images as `docker ps` shows them: twelve digits of an id, and no digest beside a tag. Pure; --json has all of them."""

from __future__ import annotations

import re

DIGITS = 12
DIGEST = "sha256:"
_ID = re.compile(rf"(?:{DIGEST})?([0-9a-f]{{64}})")


def identity(text: str) -> str:
    """An id of 64 digits, a digest's too, in twelve; anything else as it is."""
    found = _ID.fullmatch(text)
    return found[1][:DIGITS] if found else text


def image(text: str) -> str:
    """``nginx:1.27`` of ``nginx:1.27@sha256:…``; ``nginx@605c77e624dd`` where nothing but the digest tells one image from another."""
    name, at, digest = text.partition("@")
    if not at:
        return identity(text)
    return name if ":" in name.rpartition("/")[2] else f"{name}@{identity(digest)}"


def name(text: str) -> str:
    """A container's name without what follows it in brackets: ``web_1`` of ``web_1 (web-1 in DNS)``."""
    return text.partition(" (")[0]

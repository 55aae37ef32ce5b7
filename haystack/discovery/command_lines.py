"""Commands as a person types them. Pure."""

from __future__ import annotations

import shlex


def command(*words: str) -> str:
    """The first word as it is, which may be several; the others so that a shell takes each as one."""
    return " ".join([words[0], *map(shlex.quote, words[1:])])

"""What aliases are read of, and what comes of them."""

from __future__ import annotations

from collections.abc import Mapping

from haystack.model.records import Problem, Record


class Carried(Record, frozen=True, kw_only=True):
    """What a container carries: labels, the environment as far as it may be looked at, and its exposed ports, as ``80/tcp``."""

    labels: Mapping[str, str] = {}
    environment: Mapping[str, str] = {}
    exposed: tuple[str, ...] = ()


class Alias(Record, frozen=True, kw_only=True):
    """The text of a haystack.* label. origin: what it was read of, as ``variable VIRTUAL_HOST``; shown: problems may repeat the text."""

    text: str
    origin: str
    shown: bool = True


Meant = tuple[dict[str, Alias], list[Problem]]  # by label, and what was not understood

"""What a service's name was made of: its other spellings, and containers of different names that are one service by it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from haystack.loop.turns import Turns, stretches
from haystack.model import naming
from haystack.model.records import Container, Problem

SHOWN = 80  # characters of a text
FEW = 2  # texts that are told


def of(origin: str, name: str, containers: Sequence[Container]) -> Turns[tuple[tuple[str, ...], tuple[Problem, ...]]]:
    """The whole names by which it may be asked for beside its own, with underscores; and what there is to say of it."""
    short = naming.short_name(name, origin)
    texts: dict[str, None] = {}
    for some in stretches(containers):
        texts.update((original(short, each), None) for each in some)
        yield
    spelled = sorted(filter(None, (naming.underscored(short, text) for text in texts)))
    whole = (naming.service_name(each, origin) for each in spelled)
    return tuple(each for each in whole if len(each) <= naming.NAME_LIMIT), _told(short, sorted(texts))


def original(short: str, container: Container) -> str:
    """What a short name of a container was made of."""
    return container.originals[container.services.index(short)] if container.originals and short in container.services else short


def _told(short: str, texts: list[str]) -> tuple[Problem, ...]:
    if len(texts) < FEW:
        return ()
    more = f" and {len(texts) - FEW} more" if len(texts) > FEW else ""
    named = " and ".join(repr(text[:SHOWN]) for text in texts[:FEW])
    message = f"{named}{more} all give {short}, so their containers are one service: the label haystack.name=NAME tells them apart"
    return (Problem(subject="service name", message=message),)

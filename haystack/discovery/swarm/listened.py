"""What the containers of Swarm services listened on, by image: a manager that lacks an image does not know what it exposes.

Never does: asking anybody; it is told what engines list. One loop's own.
"""

from __future__ import annotations

from collections.abc import Container as Holder

from msgspec.structs import replace

from haystack.model.records import Container, Port

IMAGES = 4  # of one service, the last ones: while it is updated, containers of two of them run


class Listened:
    """By the name of the service and the image as it was asked for: another image of the service may listen elsewhere."""

    def __init__(self) -> None:
        self._ports: dict[str, dict[str, tuple[Port, ...]]] = {}

    def note(self, name: str, container: Container) -> None:
        """An engine lists this container of a service. One without ports says nothing: another one of its image may have had some."""
        known = self._ports.setdefault(name, {})
        before = known.pop(container.image, ())
        known[container.image] = container.ports or before
        while len(known) > IMAGES:
            del known[next(iter(known))]

    def keep(self, *names: Holder[str]) -> None:
        """Forget all services but these."""
        self._ports = {name: known for name, known in self._ports.items() if any(name in each for each in names)}

    def completed(self, name: str, container: Container) -> Container:
        """A container of a service, with the ports that others of its image listened on."""
        ports = tuple(sorted({*container.ports, *self._ports.get(name, {}).get(container.image, ())}))
        return replace(container, ports=ports) if ports != container.ports else container

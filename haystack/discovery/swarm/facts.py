"""What the tasks of one Swarm service have in common: its labels and those of its containers as one, names, ports, and how it is published.

Pure. Of a label that both have, that of the containers counts: it is the closer one; labels of the image come before both.
"""

from __future__ import annotations

from collections.abc import Mapping

from haystack.discovery import aliases
from haystack.discovery import labels as label_reader
from haystack.discovery.swarm.answers import ContainerSpec, Port, Service
from haystack.model import naming, ports
from haystack.model.records import Options, Problem, Record
from haystack.model.records import Port as ListenedOn

HOST, INGRESS = "host", "ingress"  # modes in which a port is published


class Image(Record, frozen=True, kw_only=True):
    """What an engine that has an image tells of it. exposed: such as ``80/tcp``; environment: what of it is of use."""

    exposed: tuple[str, ...] = ()
    labels: Mapping[str, str] = {}
    environment: tuple[str, ...] = ()


class Facts(Record, frozen=True, kw_only=True):
    """Of one service, with one kind of container. itself: these are Haystack's own; ingress: ports that all nodes publish.

    own, own_problems: what its containers, and their image where it is known, ask for without the service: as an engine sees them.
    """

    service: str
    name: str
    image: str = ""
    image_name: str = ""
    job: bool = False
    itself: bool = False
    labels: Mapping[str, str] = {}
    options: Options = Options()
    problems: tuple[Problem, ...] = ()
    own: Options = Options()
    own_problems: tuple[Problem, ...] = ()
    ports: tuple[ListenedOn, ...] = ()
    ingress: tuple[Port, ...] = ()
    services: tuple[str, ...] = ()
    originals: tuple[str, ...] = ()


def of(service: Service, spec: ContainerSpec, image: Image | None, alien: tuple[str, ...] = ()) -> Facts:
    """image: None where no manager has it; alien: HAYSTACK_ALIASES."""
    known = image or Image()
    labels = {**known.labels, **service.labels, **(spec.labels or {}), naming.SWARM_SERVICE: service.name}
    environment = (*known.environment, *spec.environment)  # the last of a name counts, as in a container
    asked = options, odd = _asked(labels, environment, known, alien)
    own, own_odd = _asked({**known.labels, **(spec.labels or {})}, environment, known, alien) if service.labels else asked
    image_name = naming.repository(spec.image)
    names, unnamed = naming.services(service.name, image_name, options, labels) if not service.is_job else ((), ())
    return Facts(
        service=service.id,
        name=service.name,
        image=spec.image,
        image_name=image_name,
        job=service.is_job,
        itself=label_reader.ITSELF in labels,
        labels={key: text for key, text in labels.items() if key not in known.labels or text != known.labels[key]},
        options=options,
        problems=(*odd, *unnamed),
        own=own,
        own_problems=own_odd,
        ports=_ports(service, options, known),
        ingress=tuple(each for each in service.ports if each.publish_mode == INGRESS and each.published_port),
        services=names,
        originals=naming.originals(service.name, image_name, options, labels) if not service.is_job else (),
    )


def _asked(
    labels: Mapping[str, str], environment: tuple[str, ...], image: Image, alien: tuple[str, ...]
) -> tuple[Options, tuple[Problem, ...]]:
    return aliases.read(alien, labels, environment, image.exposed) if alien else label_reader.read(labels)


def _ports(service: Service, options: Options, image: Image) -> tuple[ListenedOn, ...]:
    """EXPOSEd, published and asked-for ports."""
    texts = [*image.exposed, *(f"{each.target_port}/{each.protocol}" for each in service.ports)]
    if options.port is not None:
        texts.append(f"{options.port}/tcp")
    return ports.union(texts)[0]

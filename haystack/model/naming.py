"""Container → the short names of the services it belongs to (docs/naming.md has the rules with examples).

Pure and total: no text whatever makes these raise or give an invalid DNS label. What can't be said in a label becomes
``-``; what is left with nothing is left out, with a Problem. Never does: any I/O. Discovery calls it per container.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from haystack.model.records import Container, Options, Problem

LABEL_LIMIT = 63  # RFC 1035 section 2.3.4
NAME_LIMIT = 253  # the same section's 255 octets, as text without the root
COMPOSE_SERVICE = "com.docker.compose.service"
COMPOSE_PROJECT = "com.docker.compose.project"
COMPOSE_ONE_OFF = "com.docker.compose.oneoff"  # a container of `docker compose run`, where it is True
SWARM_SERVICE = "com.docker.swarm.service.name"
STACK = "com.docker.stack.namespace"  # of a service that `docker stack deploy` has made: its name begins with this and an underscore

_NOT_LDH = re.compile(r"[^a-z0-9-]+")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_SPELLED = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")  # what DNS holds beside host names (RFC 2181 section 11)
_NUMBERED = re.compile(r"(.+)-([0-9]+)", re.DOTALL)
_HEX = re.compile(r"[0-9a-f]{6,64}")


def service_name(short: str, origin: str) -> str:
    """The whole name of the service that is `short` below the origin."""
    return f"{short}.services.{origin}"


def short_name(whole: str, origin: str) -> str:
    """The same the other way; what is not a service's whole name stays as it is."""
    return whole.removesuffix(service_name("", origin))


def container_name(first: str, origin: str) -> str:
    """The whole name of a container whose first label is this."""
    return f"{first}.containers.{origin}"


def label(text: str) -> str:
    """`text` as one DNS label of letters, digits and inner dashes; empty when nothing of it can be kept."""
    return _NOT_LDH.sub("-", text.lower()).strip("-")[:LABEL_LIMIT].rstrip("-")


def spellings(text: str) -> tuple[str, ...]:
    """`text` in lower case where DNS can hold it (underscores and dots stay), and as one label; each once, empty ones left out."""
    exact = text.lower()
    found = (exact if all(map(_SPELLED.fullmatch, exact.split("."))) else "", label(text))
    return tuple(dict.fromkeys(filter(None, found)))


def id_label(short_id: str) -> str:
    """The first label of the name that a container has for its id."""
    return f"c{label(short_id)}"


def longer_label(name: str, short_id: str) -> str:
    """A name as one label that is nobody else's: with the short id behind it."""
    short = label(short_id)
    return f"{label(name)[: LABEL_LIMIT - 1 - len(short)].rstrip('-')}-{short}"


def container(origin: str, found: Container) -> str:
    """A container's name in DNS: what Docker calls it may have characters that no DNS name has, or be another's there."""
    return container_name(found.label or label(found.name) or id_label(found.short_id), origin)


def is_label(text: str) -> bool:
    """True when `text` is a lower-case host name label (RFC 1123 section 2.1)."""
    return _LABEL.fullmatch(text) is not None


def is_name(text: str) -> bool:
    """True when `text` is a lower-case host name without trailing dot that fits into a DNS message."""
    return len(text) <= NAME_LIMIT and all(is_label(part) for part in text.split("."))


def repository(reference: str, image_id: str = "") -> str:
    """The last part of the repository in an image reference, lower case; empty for a bare image id.

    ``ghcr.io/a/b/Web:1.2@sha256:…`` is ``web``. A bare id is ``sha256:…`` or a prefix of `image_id`'s digits, as typed
    on the command line: only `image_id` tells ``docker run beefcafe`` from an image of that name.
    """
    name = reference.strip().partition("@")[0].lower()
    digits = image_id.lower().removeprefix("sha256:")
    if name.startswith("sha256:") or (_HEX.fullmatch(name) and digits.startswith(name)):
        return ""
    return name.rpartition("/")[2].partition(":")[0]


def group_of(name: str) -> str:
    """GROUP of a container name ``GROUP-NUMBER``, cut at the last dash; empty when the name is not of that form."""
    match = _NUMBERED.fullmatch(name)
    return match.group(1) if match else ""


def services(name: str, image_name: str, options: Options, labels: Mapping[str, str]) -> tuple[tuple[str, ...], tuple[Problem, ...]]:
    """The short service names of a container, first the one by name and image, and what was odd about them.

    One of `docker compose run` has none: it carries all labels of its Compose service, and is there for who typed that alone.
    """
    found, problems = _served(name, image_name, options, labels)
    return tuple(found), problems


def withheld(labels: Mapping[str, str]) -> str:
    """Why a container with these labels belongs to no service, whatever it is called; empty where it may."""
    return "it is a one-off of Docker Compose" if _is_one_off(labels) else ""


def originals(name: str, image_name: str, options: Options, labels: Mapping[str, str]) -> tuple[str, ...]:
    """For each of its short service names what it was made of, in lower case with dots between; none where all are the same."""
    found, _ = _served(name, image_name, options, labels)
    return tuple(found.values()) if any(short != original for short, original in found.items()) else ()


def is_spelled(text: str) -> bool:
    """The same as is_name of what DNS can hold: a service's other names may have underscores."""
    return len(text) <= NAME_LIMIT and all(map(_SPELLED.fullmatch, text.split(".")))


def underscored(short: str, original: str) -> str:
    """A name of one label or more with the underscores that it was made of; empty where it was made of none, or of what DNS can't hold."""
    parts = original.split(".")
    fits = "_" in original and len(parts) == short.count(".") + 1 and all(map(_SPELLED.fullmatch, parts))
    return original if fits else ""


Named = tuple[dict[str, str], tuple[Problem, ...]]  # the texts that short names were made of, by these


def _served(name: str, image_name: str, options: Options, labels: Mapping[str, str]) -> Named:
    if _is_one_off(labels):
        return {}, ()
    own, problems = _own(name, image_name, options, labels)
    compose, more = _compose(labels)
    stack, odd = _stack(labels)
    others = {**compose, **stack}
    return {**own, **{short: text for short, text in others.items() if short not in own}}, problems + more + odd


def _is_one_off(labels: Mapping[str, str]) -> bool:
    return labels.get(COMPOSE_ONE_OFF, "").lower() == "true"


def _own(name: str, image_name: str, options: Options, labels: Mapping[str, str]) -> Named:
    """`haystack.name`, or GROUP.IMAGE, or IMAGE."""
    if options.name:
        return {options.name: options.name}, ()
    image = label(image_name)
    if not image:
        return {}, (Problem(subject="image", message=_nameless(image_name)),)
    wanted = options.group or labels.get(SWARM_SERVICE) or group_of(name)
    group = label(wanted)
    if wanted and not group:
        problem = Problem(subject="group", message=f"{wanted!r} gives no name: the service is the image's")
        return _made(image_name), (problem,)
    return (_made(wanted, image_name) if group else _made(image_name)), ()


def _made(*texts: str) -> dict[str, str]:
    """A short name, and what it is made of."""
    return {".".join(map(label, texts)): ".".join(texts).lower()}


def _nameless(image_name: str) -> str:
    what = f"its image's name {image_name!r} gives no name in DNS" if image_name else "its image has no name, only an id"
    return f"{what}: the label haystack.name=NAME gives it a service"


def _compose(labels: Mapping[str, str]) -> Named:
    """SERVICE.PROJECT of Compose, empty without its labels."""
    service, project = labels.get(COMPOSE_SERVICE, ""), labels.get(COMPOSE_PROJECT, "")
    if not (service or project):
        return {}, ()
    if not label(service) or not label(project):
        return {}, (Problem(subject="compose", message=f"{service!r} of {project!r} gives no name: left out"),)
    return _made(service, project), ()


def _stack(labels: Mapping[str, str]) -> Named:
    """SERVICE.STACK of a Swarm's stack, empty without its labels. `docker stack deploy` calls the service STACK_SERVICE."""
    service, stack = labels.get(SWARM_SERVICE, ""), labels.get(STACK, "")
    if not (service and stack):
        return {}, ()
    service = service.removeprefix(f"{stack}_")
    if not label(service) or not label(stack):
        return {}, (Problem(subject="stack", message=f"{service!r} of {stack!r} gives no name: left out"),)
    return _made(service, stack), ()

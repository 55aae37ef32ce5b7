"""/openapi.json: what each address answers, in the form of OpenAPI 3.1. Made of the answers' types, with examples of samples.py.

A type and what is answered can't differ: the type checker compares them, and a test holds real answers against this.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import msgspec

from haystack import __version__
from haystack.api import samples
from haystack.views import shapes
from haystack.views.answers import (
    CertificateAnswer,
    ContainerAnswer,
    ErrorAnswer,
    HealthAnswer,
    InfoAnswer,
    NetworkAnswer,
    ReadyAnswer,
    ServiceAnswer,
)
from haystack.views.lookup_answers import DnsAnswer, ExplainAnswer

JSON, TEXT, STREAM, HTML = "application/json", "text/plain", "text/event-stream", "text/html"
PROBLEM = "application/problem+json"


class Parameter(NamedTuple):
    """One of a query."""

    name: str
    about: str
    example: str
    needed: bool = True


class Address(NamedTuple):
    """One that is answered. answer: the type of its JSON, if any; example: one; statuses: others than 200, with what they mean."""

    summary: str
    answer: Any = None
    kind: str = JSON
    example: Any = None
    parameters: tuple[Parameter, ...] = ()
    statuses: tuple[tuple[int, str], ...] = ()


NAME = Parameter("name", "a name, or a reverse name", "web.services.haystack")
TYPE = Parameter("type", "a type of records; A where it is missing", "SRV", needed=False)
URL = Parameter("url", "a URL, or a host name with a path", "http://web.services.haystack/login")
TOO_MANY = (503, "too much is under way: Retry-After says when to come again")
BAD = (400, "a parameter is missing or can't be read")
FOREIGN = (403, "a page of another origin asks")
NO_AUTHORITY = (404, "it has none")
REFUSALS = (TOO_MANY, BAD, FOREIGN, NO_AUTHORITY)
EVENTS = (
    "All rows, then each change, as server-sent events. `begin`, `change` …, `complete`: all there is, and from then on `change` alone. "
    "The data of a `change` are rows `[kind, key, value]`, where value null says that it is no more; of kind summary, service, endpoint, "
    "container, problems, certificate or entry. Last-Event-ID goes on where a client was, if it is not too long ago."
)
ABOUT = "What Haystack shows of itself, read-only. Nothing can be changed over HTTP: that needs the shell, and so a key."


def addresses() -> dict[str, Address]:
    """What there is."""
    sample = samples.sample()
    return {
        "/api/containers": Address("All containers, by full id", dict[str, ContainerAnswer], example=sample["containers"]),
        "/api/networks": Address("All networks, by id", dict[str, NetworkAnswer], example=sample["networks"]),
        "/api/services": Address("All endpoints, each once a service", list[ServiceAnswer], example=sample["members"]),
        "/api/certificates": Address("All certificates", list[CertificateAnswer], example=sample["certificates"]),
        "/ca.pem": Address("The certificate of Haystack's own authority", kind="application/x-pem-file", statuses=(NO_AUTHORITY,)),
        "/api/info": Address("Everything at once", InfoAnswer, example=sample["info"]),
        "/api/events": Address(EVENTS, kind=STREAM, statuses=(TOO_MANY,)),
        "/api/explain": Address(
            "Which service answers a URL", ExplainAnswer, example=sample["explain"], parameters=(URL,), statuses=(BAD,)
        ),
        "/api/dns": Address(
            "What DNS says of a name", DnsAnswer, example=sample["dns"], parameters=(NAME, TYPE), statuses=(BAD, FOREIGN, TOO_MANY)
        ),
        "/metrics": Address("Figures for Prometheus", kind=TEXT),
        "/healthz": Address("Whether the control process answers", HealthAnswer, example={"status": "ok"}),
        "/readyz": Address(
            "Whether traffic may come; others than those who may see the web side get the status alone", ReadyAnswer,
            example={"status": "ready", "reasons": [], "troubles": []}, statuses=((503, "not yet, or not any more"),),
        ),
        "/openapi.json": Address("This document"),
        "/ui": Address("The page", kind=HTML),
    }  # fmt: skip


@cache
def document() -> bytes:
    """The document as JSON."""
    found = addresses()
    types = [each.answer for each in found.values() if each.answer is not None]
    schemas, components = msgspec.json.schema_components([*types, ErrorAnswer], ref_template="#/components/schemas/{name}")
    of = dict(zip(map(id, types), schemas, strict=False))
    paths = {path: {"get": _operation(path, each, of.get(id(each.answer)))} for path, each in found.items()}
    about = {
        "title": "Haystack",
        "version": __version__,
        "description": ABOUT,
        "license": {"name": "MIT", "identifier": "MIT"},
    }
    return shapes.encode({"openapi": "3.1.0", "info": about, "paths": paths, "components": {"schemas": components}})


def _operation(path: str, address: Address, schema: object) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": schema} if schema is not None else {}
    if address.example is not None:
        content["example"] = address.example
    refusal: dict[str, Any] = {PROBLEM: {"schema": {"$ref": "#/components/schemas/ErrorAnswer"}}}
    refusal |= {kind: {"schema": {"type": "string"}} for kind in ("text/html", "text/plain")}  # by Accept
    responses: dict[str, Any] = {"200": {"description": "as it is now", "content": {address.kind: content}}}
    for status, meaning in address.statuses:
        responses[str(status)] = {"description": meaning} | ({"content": refusal} if (status, meaning) in REFUSALS else {})
    return {
        "operationId": path.strip("/").replace("/", "_").replace(".", "_"),
        "summary": address.summary.partition(". ")[0],
        "description": address.summary,
        "parameters": [_parameter(each) for each in address.parameters],
        "responses": responses,
    }


def _parameter(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": "query",
        "required": parameter.needed,
        "description": parameter.about,
        "schema": {"type": "string"},
        "example": parameter.example,
    }

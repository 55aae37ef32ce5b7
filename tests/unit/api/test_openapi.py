"""/openapi.json is right by OpenAPI's own rules, has every address, and says what is answered: no key more, and none less."""

import copy
import dataclasses
import json

import httpx
import jsonschema
import openapi_spec_validator
import pytest
from msgspec.structs import replace

from haystack.api import openapi
from haystack.api.events import MOST
from haystack.api.feed import Feed
from haystack.api.views import Views, application
from haystack.dns.peers import Standing
from haystack.model.services import Carried, Override, Service
from tests.fakes.state import ENDPOINT, ID, NAME, picture, state

DOCUMENT = json.loads(openapi.document())
PATHS = DOCUMENT["paths"]
ASKED = {
    "/api/explain": "/api/explain?url=http://nginx.services.haystack/x",
    "/api/dns": "/api/dns?name=example.com",
}
ANSWERED = [path for path in PATHS if "schema" in PATHS[path]["get"]["responses"]["200"]["content"].get("application/json", {})]


def closed(node):
    """The same schema, where no key is welcome that it does not have."""
    if isinstance(node, dict):
        found = {key: closed(value) for key, value in node.items()}
        return {**found, "additionalProperties": False} if "properties" in found and found.get("type") == "object" else found
    return [closed(each) for each in node] if isinstance(node, list) else node


def check(answer, schema):
    whole = {**closed(copy.deepcopy(schema)), "components": closed(copy.deepcopy(DOCUMENT["components"]))}
    jsonschema.Draft202012Validator(whole).validate(answer)


def schema_of(path, status="200", kind="application/json"):
    return PATHS[path]["get"]["responses"][status]["content"][kind]["schema"]


def rich():
    """A state in which as much as possible has something to say."""
    drain = Override(scope="endpoint", target=ENDPOINT.id, name="web", container=ID, by="ann", at=1.0, until=9e9, why="kernel")
    found = picture()
    endpoint = replace(ENDPOINT, ready=False, since=5.0, until=9e9, overrides=(drain,))
    claims = (Carried(host="a.example", path="/x", endpoints=(endpoint,)),)
    found.services = {NAME: Service(name=NAME, endpoints=(endpoint,), claims=claims)}
    peer = Standing(name="10.0.0.2", address="10.0.0.2", port=80, error="does not accept")
    return dataclasses.replace(state(snapshot=found), peers=lambda: [peer])


async def ask(path, of):
    transport = httpx.ASGITransport(app=application(of))
    async with httpx.AsyncClient(transport=transport, base_url="http://haystack") as client:
        return await client.get(ASKED.get(path, path))


def test_it_is_right_by_the_rules_of_openapi():
    openapi_spec_validator.validate(DOCUMENT)
    assert DOCUMENT["openapi"].startswith("3.1")


def test_it_has_every_address():
    of = state()
    assert {*PATHS, "/", "/ui/{name}"} == {*Views(of, Feed(of), MOST).table()}


@pytest.mark.parametrize("path", ANSWERED)
@pytest.mark.parametrize("made", [state, rich])
async def test_what_is_answered_is_as_it_says(path, made):
    answer = await ask(path, made())
    assert answer.status_code == 200
    check(answer.json(), schema_of(path))


@pytest.mark.parametrize("path", ANSWERED)
def test_the_examples_are_as_it_says(path):
    check(PATHS[path]["get"]["responses"]["200"]["content"]["application/json"]["example"], schema_of(path))


@pytest.mark.parametrize("path", ["/api/explain", "/api/dns"])
async def test_a_refusal_is_as_it_says(path):
    transport = httpx.ASGITransport(app=application(state()))
    async with httpx.AsyncClient(transport=transport, base_url="http://haystack") as client:
        answer = await client.get(path)
    assert answer.status_code == 400
    check(answer.json(), schema_of(path, "400", answer.headers["content-type"]))


def test_an_answer_with_a_key_more_or_less_would_be_found():
    for answer in ({"status": "ok", "more": 1}, {}):
        with pytest.raises(jsonschema.ValidationError):
            check(answer, schema_of("/healthz"))


async def test_the_document_is_served_at_openapi_json():
    answer = await ask("/openapi.json", state())
    assert (answer.status_code, answer.json()) == (200, DOCUMENT)

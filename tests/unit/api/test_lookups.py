"""/api/explain and /api/dns: what the shell's `explain` and `dig` say, for those who may see the web side."""

import asyncio

import httpx
import pytest
from msgspec.structs import replace

from haystack.api import lookups
from haystack.api.views import application
from haystack.model.services import Carried, Service
from tests.fakes.state import ENDPOINT, NAME, picture, state


def client(of, host="haystack"):
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=application(of)), base_url=f"http://{host}")


async def ask(path, of=None, host="haystack", **headers):
    async with client(of or state(), host) as asking:
        return await asking.get(path, headers=headers)


async def test_a_url_is_explained():
    found = picture()
    claims = (Carried(host="a.example", path="/x", endpoints=(ENDPOINT,)),)
    found.services = {NAME: Service(name=NAME, endpoints=(ENDPOINT, replace(ENDPOINT, id="other")), claims=claims)}
    told = (await ask("/api/explain?url=http://a.example/x/y", state(snapshot=found))).json()
    assert (told["service"], told["rule"]) == (NAME, {"host": "a.example", "path": "/x"})
    assert [endpoint["id"] for endpoint in told["endpoints"]] == [ENDPOINT.id]
    assert told["lines"][0] == f"service {NAME}, by host a.example and path prefix /x"


async def test_a_url_that_leads_nowhere():
    told = (await ask("/api/explain?url=nobody.example/z")).json()
    assert (told["service"], told["rule"], told["endpoints"]) == (None, None, [])
    assert told["lines"] == ["no service claims nobody.example/z: 404"]


async def test_a_path_that_the_host_does_not_have():
    """Its container speaks HTTP: what it is told to lack is none of its ports."""
    found = picture()
    found.services = {NAME: Service(name=NAME, endpoints=(ENDPOINT,), path="/api")}
    found.containers = {i: replace(c, services=("nginx",)) for i, c in found.containers.items()}
    told = (await ask(f"/api/explain?url={NAME}/x", state(snapshot=found))).json()
    assert told["lines"] == [f"no service claims {NAME}/x: 404", f"{NAME}: only below /api (haystack.path)"]


async def test_of_many_endpoints_some_are_told(monkeypatch):
    monkeypatch.setattr(lookups, "LISTED", 3)
    found = picture()
    found.services = {NAME: Service(name=NAME, endpoints=tuple(replace(ENDPOINT, id=str(n)) for n in range(9)))}
    assert len((await ask(f"/api/explain?url={NAME}", state(snapshot=found))).json()["endpoints"]) == 3


@pytest.mark.parametrize(
    "path",
    ["/api/explain", "/api/explain?url=", "/api/explain?url=http://[", "/api/explain?url=" + "a" * 3000, "/api/dns", "/api/dns?name=%20"],
)
async def test_what_can_not_be_read_is_told(path):
    answer = await ask(path)
    assert answer.status_code == 400
    assert answer.json()["error"]


async def test_a_name_is_looked_up_as_the_client_has_it():
    told = (await ask(f"/api/dns?name={NAME}", host="192.0.2.7:8000")).json()
    assert told["records"] == [f"{NAME}. 5 IN A 192.0.2.7"]
    assert (await ask(f"/api/dns?name={NAME}", host="localhost")).json()["records"] == [f"{NAME}. 5 IN A 127.0.0.1"]
    other = (await ask("/api/dns?name=example.com&type=a")).json()
    assert (other["type"], other["records"], other["lines"][-1]) == (
        "A", ["example.com. 60 IN A 192.0.2.1"], ";; from nameserver 10.0.0.2:53",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
        ("Origin", "http://evil.example"),
        ("Origin", "null"),
        ("Origin", "http://["),
        ("Referer", "http://]/"),
        ("Referer", "http://evil.example/x"),
    ],
)
async def test_a_page_of_another_origin_has_nothing_looked_up(name, value):
    there = state()
    there.responder.resolve = None  # who calls it fails
    assert (await ask("/api/dns?name=example.com", there, **{name: value})).status_code == 403


@pytest.mark.parametrize(
    ("name", "value"), [("Sec-Fetch-Site", "same-origin"), ("Origin", "http://haystack"), ("Referer", "http://haystack/ui")]
)
async def test_the_page_itself_has(name, value):
    assert (await ask("/api/dns?name=example.com", **{name: value})).status_code == 200


@pytest.mark.parametrize("path", ["/api/dns?name=example.com", "/api/explain?url=x", "/openapi.json", "/ui", "/ui/main.js"])
async def test_another_origin_may_read_only_when_the_settings_name_it(path):
    assert "access-control-allow-origin" not in (await ask(path, Origin="http://a")).headers
    named = state(cors_origin="http://a")
    assert (await ask(path, named, Origin="http://a")).headers["access-control-allow-origin"] == "http://a"
    assert "access-control-allow-origin" not in (await ask(path, named, Origin="http://b")).headers


async def test_so_many_names_at_once_and_no_more():
    there, go, asked = state(), asyncio.Event(), []

    async def resolve(name, _kind, _local):
        asked.append(name)
        await go.wait()
        return [";; NOERROR, 0 answers"]

    there.responder.resolve = resolve
    async with client(there) as asking:
        tasks = [asyncio.create_task(asking.get("/api/dns?name=x.example")) for _ in range(lookups.MOST)]
        while len(asked) < lookups.MOST:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0)
        more = await asking.get("/api/dns?name=x.example")
        assert (more.status_code, more.headers["retry-after"]) == (503, "1")
        go.set()
        assert {task.status_code for task in await asyncio.gather(*tasks)} == {200}
        assert (await asking.get("/api/dns?name=x.example")).status_code == 200

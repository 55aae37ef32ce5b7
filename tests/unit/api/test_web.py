import asyncio
import json
import stat
from types import SimpleNamespace

import httpx
import pytest
from msgspec.structs import replace

from haystack.api.server import ApiServer
from haystack.api.views import application
from haystack.views import shapes
from tests.fakes.state import ENDPOINT, ID, NAME, picture, state

PATHS = ["/api/certificates", "/api/info", "/api/containers", "/api/networks", "/api/services", "/healthz", "/readyz", "/metrics", "/ui"]


async def ask(path, method="GET", of=None, **headers):
    transport = httpx.ASGITransport(app=application(of or state()))
    async with httpx.AsyncClient(transport=transport, base_url="http://haystack") as client:
        return await client.request(method, path, headers=headers)


@pytest.mark.parametrize("path", PATHS)
async def test_every_address_answers_get_head_and_options(path):
    assert (await ask(path)).status_code == 200
    head = await ask(path, "HEAD")
    assert (head.status_code, head.content) == (200, b"")
    options = await ask(path, "OPTIONS")
    assert (options.status_code, options.headers["allow"]) == (204, "GET, HEAD, OPTIONS")


@pytest.mark.parametrize("path", ["/", *PATHS])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE"])
async def test_nothing_can_be_changed(path, method):
    answer = await ask(path, method)
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, OPTIONS")


async def test_the_root_leads_to_the_page():
    answer = await ask("/")
    assert (answer.status_code, answer.headers["location"]) == (307, "/ui")


async def test_an_unknown_address_is_404_in_problem_details():
    answer = await ask("/api/secrets", **{"X-Request-Id": "a/b"})
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert answer.json() == {
        "type": "about:blank", "title": "Not Found", "status": 404, "error": "Not Found", "instance": "a%2Fb", "request_id": "a/b",
    }  # fmt: skip


async def test_a_container_shows_the_network_whose_address_was_chosen():
    shape = (await ask("/api/containers")).json()[ID]
    assert (shape["addr"], shape["network"], shape["endpoint"]) == ("172.17.0.2", "bridge", "e" * 64)
    assert (shape["mac_address"], shape["name"], shape["short_id"]) == ("02:42:ac:11:00:02", "web", ID[:12])
    assert shape["problems"] == [{"subject": "label haystack.port", "message": "not a port"}]
    assert "env" not in json.dumps(shape).lower()


async def test_a_network():
    shape = (await ask("/api/networks")).json()["n1"]
    wanted = {"name": "bridge", "scope": "local", "driver": "bridge", "gateway": "172.17.0.1", "subnet": "172.17.0.0/16"}
    assert wanted.items() <= shape.items()


async def test_a_service_is_one_object_an_endpoint():
    [shape] = (await ask("/api/services")).json()
    wanted = {
        "id": "abababababab:80/tcp", "name": NAME, "class": "in", "type": "tcp", "ttl": 5, "priority": 100, "weight": 100, "port": 80,
        "target": "cabababababab.containers.haystack", "srv": "_http._tcp." + NAME, "ready": True,
    }  # fmt: skip
    assert wanted.items() <= shape.items()


async def test_an_srv_name_is_the_one_that_dns_knows():
    odd = replace(ENDPOINT, port_name="my_port")
    assert shapes.service_shape(shapes.Membership(odd, NAME, (), None, ()), 5, 0.0)["srv"] == f"_my-port._tcp.{NAME}"


async def test_info_holds_everything_with_fresh_counters():
    info = (await ask("/api/info")).json()
    assert info["proxy"]["requests"] == {f"tcp://{NAME}:80": {"tcp://172.17.0.2:80": 3}}
    assert info["proxy"]["endpoints"] == {f"tcp://{NAME}:80": {"abababababab:80/tcp": 3}}
    assert info["services"][f"tcp://{NAME}:80"][0]["name"] == NAME
    assert info["containers"].keys() == {ID}
    assert info["networks"].keys() == {"n1"}
    assert info["version"].keys() == {"major", "minor", "patch"}


async def test_ready_when_a_source_has_listed_and_a_worker_runs():
    assert (await ask("/readyz")).status_code == 200


async def test_not_ready_says_why():
    unready = state()
    unready.registry.listed.clear()
    unready.registry.sources["unix:///x"] = SimpleNamespace(connected=False, error="connection refused", since=1.0, engine=None)
    unready.proxy.workers = [
        SimpleNamespace(slot=0, pid=None, state="draining", trouble="worker 0 died 3 times in a row", frailty=lambda _now: "")
    ]
    answer = await ask("/readyz", of=unready)
    assert "worker 0 died 3 times in a row" in answer.text
    assert "engine 1 does not answer: connection refused" in answer.text
    assert (answer.status_code, len(answer.json()["reasons"])) == (503, 3)
    assert (await ask("/healthz", of=unready)).status_code == 200


@pytest.mark.parametrize("path", ["/api/info", "/metrics", "/readyz", "/ui", "/api/containers", "/api/services", "/api/networks"])
async def test_where_an_engine_is_is_told_to_nobody(path):
    """Who reaches an engine is root on its machine; the shell, which needs a key, shows it."""
    secret = state()
    engine = replace(next(iter(secret.snapshot.engines.values())), host="tcp://***@10.9.8.7:2375")
    secret.registry.snapshot.engines = {engine.id: engine}
    secret.registry.sources.clear()
    secret.registry.sources["tcp://***@10.9.8.7:2375"] = SimpleNamespace(connected=False, error="no", since=1.0, engine=engine)
    secret.registry.listed.clear()
    assert "10.9.8.7" not in (await ask(path, of=secret)).text


async def test_metrics_name_requests_services_and_workers():
    text = (await ask("/metrics")).text
    where = 'endpoint="abababababab:80/tcp",container="abababababab",address="172.17.0.2:80"'
    assert f'haystack_requests_total{{host="{NAME}",port="80",{where}}} 3.0' in text
    assert f'haystack_endpoints{{ready="true",service="{NAME}"}} 1.0' in text
    assert 'haystack_workers{state="serving"} 1.0' in text


async def test_metrics_name_errors_by_their_word():
    assert 'haystack_errors_total{error="destination_not_found",status="404"} 2.0' in (await ask("/metrics")).text


async def test_another_origin_may_read_only_when_the_settings_name_it():
    assert "access-control-allow-origin" not in (await ask("/api/info", Origin="http://a")).headers
    opened = state(cors_origin="http://a")
    assert (await ask("/api/info", of=opened, Origin="http://a")).headers["access-control-allow-origin"] == "http://a"
    assert "access-control-allow-origin" not in (await ask("/api/info", of=opened, Origin="http://b")).headers


async def test_a_name_that_utf8_cannot_hold_does_not_take_the_others_away():
    answer = await ask("/api/containers", of=state(snapshot=picture(name="\ud800")))
    assert answer.json()[ID]["name"] == "\ud800"


async def test_a_worker_that_does_not_answer_costs_freshness_only(monkeypatch):
    monkeypatch.setattr("haystack.views.state.REFRESH_SECONDS", 0.01)
    stuck = state()
    stuck.proxy.refresh = asyncio.Event().wait
    assert (await ask("/api/info", of=stuck)).status_code == 200


def test_ipv6_goes_in_brackets():
    assert shapes.url("tcp", "fd00::1", 80) == "tcp://[fd00::1]:80"


async def test_it_serves_on_a_unix_socket_for_this_user_alone(tmp_path):
    path = tmp_path / "admin.sock"
    server = ApiServer(state(), path)
    await server.start()
    async with httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(uds=str(path)), base_url="http://x") as client:
        assert (await client.get("/healthz")).json() == {"status": "ok"}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    await server.close()
    assert not path.exists()


async def test_a_socket_that_cannot_be_made_is_an_error_at_the_start(tmp_path):
    with pytest.raises(OSError):
        await ApiServer(state(), tmp_path / "no" / "admin.sock").start()

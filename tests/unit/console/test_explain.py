"""What `explain` says, and that it and the workers' router agree on who answers."""

import asyncio
import json
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from haystack._fast.routing.router import Router
from haystack.catalog.claims import prefix
from haystack.catalog.service import OPTIONS
from haystack.console.shell import run
from haystack.loop.turns import at_once
from haystack.model.records import Options, Problem
from haystack.model.services import Carried, Cause, Detour, Service
from haystack.model.snapshot import Snapshot
from haystack.proxy.worker_routes import Routes
from haystack.tls import certificates
from haystack.views import shapes
from haystack.views.explanation import Asked, find, read
from tests.fakes.pki import self_signed
from tests.fakes.state import ENDPOINT, ID, NAME, picture, state
from tests.fakes.usual import usual
from tests.oracles import routing_table as oracle

SECOND = replace(ENDPOINT, id="cdcdcdcdcdcd:80/tcp", container_name="other")


def claimed(hosts, path, endpoints, **options):
    return tuple(Carried(host=host, path=prefix(path), endpoints=endpoints, **options) for host in hosts)


def site(*endpoints, **fields):
    seen = picture()
    endpoints = endpoints or (ENDPOINT,)
    options = {name: fields[name] for name in OPTIONS if name in fields}
    claims = claimed(("shop.example", "*.shop.example"), fields.get("path"), endpoints, **options)
    seen.services = {NAME: Service(name=NAME, endpoints=endpoints, claims=claims, **fields)}
    return state(snapshot=seen)


def said(url, *endpoints, **fields):
    result = run(site(*endpoints, **fields), ["explain", url])
    return result.status, result.text


def test_who_answers_by_what_and_who_would_be_picked():
    status, text = said("http://API.shop.example.:8080/x?y", ENDPOINT, SECOND)
    assert status == 0
    assert f"service {NAME}, by host *.shop.example and path prefix /" in text
    assert "listener http-alt, port 8080" in text
    assert "by p2c among abababababab:80/tcp (weight 100), cdcdcdcdcdcd:80/tcp (weight 100)" in text


@pytest.mark.parametrize("form", ["{}", "{}:8080", "http://{}/x"])
def test_a_services_short_name_is_told_with_the_whole_one(form):
    """The short name is not a host name, but `service` accepts it and `services` lists it."""
    status, text = said(form.format(NAME.removesuffix(".services.haystack")))
    assert (status, f"did you mean {NAME}?" in text) == (1, True)
    assert "did you mean" not in said(form.format("nobody"))[1]


@pytest.mark.parametrize("wrong", ["ngnix", "nginxx"])
def test_a_misspelt_service_is_told_with_the_nearest(wrong):
    status, text = said(f"http://{wrong}.services.haystack/")
    assert (status, "did you mean nginx?" in text) == (1, True)
    assert "did you mean" not in said(f"http://{wrong}.example/")[1]


async def test_of_https_it_says_which_certificate_there_is():
    assert "nothing listens for https: set HAYSTACK_ACME" in said("https://shop.example/")[1]
    shown = site()
    shown.proxy.ports["https"] = 443
    assert "no certificate is for shop.example: its handshake is refused" in run(shown, ["explain", "https://shop.example/"]).text
    shown.certificates.put("folder", "x", certificates.read(*self_signed("an authority", names=("shop.example",))))
    await asyncio.sleep(0)  # it is told soon after
    text = run(shown, ["explain", "https://shop.example/"]).text
    assert "certificate for shop.example, by an authority" in text
    assert "listener https, port 443" in text
    assert "picked: abababababab:80/tcp" in text
    assert "speaks no TLS" not in said("http://shop.example/")[1]


async def test_a_redirect_to_https_is_told_as_far_as_it_has_an_effect():
    shown = site(https="redirect")
    assert "redirect has no effect: nothing listens for https: set HAYSTACK_ACME" in run(shown, ["explain", "http://shop.example/"]).text
    shown.proxy.ports["https"] = 443
    text = run(shown, ["explain", "http://shop.example/"]).text
    assert "haystack.https=redirect has no effect yet: no certificate is for shop.example" in text
    shown.certificates.put("folder", "x", certificates.read(*self_signed("an authority", names=("shop.example",))))
    await asyncio.sleep(0)  # it is told soon after
    assert "haystack.https=redirect: 308 to https://shop.example, but for" in run(shown, ["explain", "http://shop.example/"]).text
    assert "308" not in run(shown, ["explain", "https://shop.example/"]).text
    shown.proxy.ports["https"] = 8343
    assert ": 308 to https://shop.example:8343, but for" in run(shown, ["explain", "http://shop.example/"]).text
    other = "http://a.shop.example/"  # which the default certificate, this one perhaps, is not for
    assert "308" not in run(shown, ["explain", other]).text


def test_what_counts_is_asked_for_by_those_that_carry_the_host():
    shown = site(sticky="sid")
    service = shown.snapshot.services[NAME]
    shown.snapshot.services[NAME] = replace(
        service, sticky=None, endpoints=(ENDPOINT, SECOND), claims=claimed(("shop.example",), None, (ENDPOINT, SECOND), sticky="own")
    )
    assert "the endpoint in cookie own, else by" in run(shown, ["explain", "shop.example"]).text
    assert "cookie" not in run(shown, ["explain", NAME]).text


def test_who_is_asked_first_of_several_hosts_and_where_those_on_others_are_reached():
    detour = Detour(why="published port 192.0.2.5:8081: 10.0.0.2:80 can't be reached", address="10.0.0.2", address6=None, port=80)
    away = replace(SECOND, remote=True, detour=detour)
    _, text = said("shop.example", ENDPOINT, away)
    assert "picked: abababababab:80/tcp (weight 100), the only endpoint to be asked while it has room and does not fail" in text
    assert "1 of these endpoints is on Haystack's own host, and asked first: the 1 on other hosts get what these have no room for" in text
    assert "cdcdcdcdcdcd:80/tcp is reached at its published port 192.0.2.5:8081: 10.0.0.2:80 can't be reached" in text
    out = replace(ENDPOINT, id="efefefefefef:80/tcp", ready=False, cause=Cause.EJECTED)
    assert "so 30% of the requests go to the 1 on other hosts" in said("shop.example", ENDPOINT, out, away)[1]


def test_why_one_is_out():
    out = replace(SECOND, ready=False, cause=Cause.STOPPING, reason="draining: kill SIGTERM", since=1.0)
    _, text = said("shop.example", ENDPOINT, out)
    assert "picked: abababababab:80/tcp (weight 100), the only endpoint that is in" in text
    assert "out: draining: kill SIGTERM" in text
    assert " d ago" in text


def test_nobody_ready():
    out = replace(ENDPOINT, ready=False, reason="paused")
    assert "no endpoint is ready: 503" in said("shop.example", out, wait=0.0)[1]
    assert "no endpoint is ready: requests wait for a while, then 503" in said("shop.example", out)[1]
    assert "no endpoint is ready, but one is expected: requests wait" in said("shop.example", replace(out, awaited=True))[1]


def test_what_is_between_haystack_and_an_endpoint_is_told():
    told = "port 80 does not answer: Haystack has no address on its network shop; type `docker network connect shop haystack`"
    out = replace(ENDPOINT, ready=False, reason=told, unreachable=True, since=1.0)
    text = said("shop.example", out, problems=(Problem(subject="network", message="web can't be reached: …"),))[1]
    assert "problem: network: web can't be reached: …" in text
    assert f"out: {told} " in text


def test_a_container_without_address_is_not_told_to_have_no_port():
    shown = site()
    shown.snapshot.containers["ef" * 32] = replace(
        shown.snapshot.containers[ID], id="ef" * 32, name="lone", address=None, address_reason="its network is none"
    )
    lines = ["lone belongs to it, but has no address: its network is none"]
    assert [each for each in run(shown, ["explain", NAME]).text.splitlines() if "belongs" in each] == lines
    shown.snapshot.services = {}
    shown.snapshot.containers.pop(ID)
    assert [each for each in run(shown, ["explain", NAME]).text.splitlines() if "belongs" in each] == lines


def test_a_one_off_is_not_told_to_belong_to_the_host_of_its_labels():
    shown = site()
    shown.snapshot.services = {}
    options = Options(hosts=("shop.example",))
    shown.snapshot.containers[ID] = replace(shown.snapshot.containers[ID], services=(), options=options, ports=())
    assert "belongs" not in run(shown, ["explain", "shop.example"]).text


def test_before_anything_is_listed_it_is_503():
    shown = site()
    shown.registry.listed.clear()
    assert ": 503, for no source of containers has been listed yet" in run(shown, ["explain", "else.example"]).text
    assert ": Haystack itself answers" in run(shown, ["explain", "localhost"]).text


def test_a_choice_by_panic_is_told_as_one():
    ill = replace(ENDPOINT, cause=Cause.BROKEN, reason="port 80 does not accept, but still in: no other endpoint is better (panic)")
    text = said("shop.example", ill)[1]
    assert "none of the endpoints is well: those that are in are kept in by panic, and may fail" in text
    assert "panic: port 80 does not accept" in text
    assert "1 of the 2 that are in are not well, and kept in by panic" in said("shop.example", ill, SECOND)[1]
    assert "by panic" not in said("shop.example", SECOND)[1]


def test_the_options_in_effect_are_told_and_which_of_them_labels_ask_for():
    lines = said("shop.example/api", path="/api", timeout=120.0, retry=())[1].splitlines()
    assert "options by label: path /api, timeout 120s, retry off" in lines
    assert (
        "options else: balance p2c, sticky off, wait 10s, max_connections unlimited, protocol http, https on, hsts_max_age off, public true"
        in lines
    )
    assert any(line.startswith("options in effect: path /, balance p2c") for line in said("shop.example")[1].splitlines())


def test_the_options_of_a_service_are_told_with_how_those_of_its_hosts_differ():
    shown = site(sticky="sid", timeout=0.5)
    service = shown.snapshot.services[NAME]
    shown.snapshot.services[NAME] = replace(service, sticky=None, wait=0.0)
    lines = run(shown, ["service", NAME]).text.splitlines()
    assert "options by label: timeout 0.5s, wait off" in lines
    assert "options of shop.example, *.shop.example: sticky sid, wait 10s" in lines
    options = json.loads(run(shown, ["service", NAME, "--json"]).text)[0]["options"]
    assert [each["hosts"] for each in options] == [[NAME], ["shop.example", "*.shop.example"]]
    assert options[1]["options"]["sticky"] == {"value": "sid", "label": True}


def test_each_endpoint_has_the_options_of_the_names_that_lead_to_it_and_no_others():
    """Thousands of endpoints with a host each would else make a text that grows with the square of their number."""
    silent = replace(SECOND, id="cdcdcdcdcdcd:9000/tcp", listener=None)
    shown = site(ENDPOINT, SECOND, silent)
    claims = (
        *claimed(("a.example",), "/x", (ENDPOINT,), sticky="sid"),
        *claimed(("a.example",), None, (SECOND,)),
        *claimed(("b.example", "c.example"), None, (SECOND,), wait=0.0),
        Carried(host="d.example", path="", endpoints=(SECOND,)),
    )
    shown.snapshot.services[NAME] = replace(shown.snapshot.services[NAME], claims=claims)
    told = [each["options"] for each in json.loads(run(shown, ["service", NAME, "--json"]).text)]
    assert [[each["hosts"] for each in one] for one in told] == [
        [[NAME], ["a.example"]],
        [[NAME], ["a.example"], ["b.example", "c.example"]],
        [],
    ]
    assert [each["options"]["path"]["value"] for each in told[0]] == ["/", "/x"]
    assert told[1][2]["options"]["wait"] == {"value": "off", "label": True}


def test_a_service_without_http_has_no_options():
    shown = site(replace(ENDPOINT, listener=None))
    shown.snapshot.services[NAME] = replace(shown.snapshot.services[NAME], claims=())
    assert "options" not in run(shown, ["service", NAME]).text
    assert json.loads(run(shown, ["service", NAME, "--json"]).text)[0]["options"] == []


def test_what_its_health_check_said_is_told():
    shown = site()
    shown.snapshot.containers[ID] = replace(shown.snapshot.containers[ID], health="unhealthy", health_output="no\x1bdatabase")
    text = run(shown, ["explain", "shop.example"]).text
    assert "web: health unhealthy: no" in text
    assert "\x1b" not in text
    assert "database" in run(shown, ["containers"]).text
    assert "database" not in run(shown, ["containers", "--json"]).text


def test_what_its_probe_said_last_is_told():
    shown = site()
    shown.registry.watcher = SimpleNamespace(told={ENDPOINT.id: "200 from /up 1.2 s ago"}.get)
    assert "health check of abababababab:80/tcp: 200 from /up 1.2 s ago" in run(shown, ["explain", "shop.example"]).text


def test_stickiness_and_other_ports_are_told():
    _, text = said("http://shop.example:99/", ENDPOINT, SECOND, sticky="sid")
    assert "the endpoint in cookie sid, else by p2c" in text
    assert "no listener on port 99" in text


@pytest.mark.parametrize(
    ("url", "end"),
    [
        ("http://else.example/", "404"),
        ("http://172.17.0.1/", "itself answers"),
        ("shop.example/x", f"/x: 404\nshop.example leads to {NAME} only below /api (haystack.path)"),
        ("a.shop.example/x", f"/x: 404\n*.shop.example leads to {NAME} only below /api (haystack.path)"),
        (f"{NAME}/x", f"/x: 404\n{NAME}: only below /api (haystack.path)"),
        ("nginx/api", f"/api: 404\ndid you mean {NAME}?"),
    ],
)
def test_nobody_claims_it(url, end):
    status, text = said(url, path="/api")
    assert status == 1
    assert text.endswith(end)


def test_of_many_who_nearly_claim_it_the_first_are_named_and_the_others_counted():
    shown = site()
    paths = [f"/p{n}" for n in range(53)]
    claims = tuple(Carried(host="shop.example", path=path, endpoints=(ENDPOINT,)) for path in paths)
    shown.snapshot.services[NAME] = replace(shown.snapshot.services[NAME], claims=claims)
    thieves = {
        f"{n:064x}": replace(shown.snapshot.containers[ID], name=f"thief-{n}", options=Options(hosts=("localhost",))) for n in range(53)
    }
    shown.snapshot.containers.update(thieves)
    _, *lines = run(shown, ["explain", "shop.example/x"]).text.splitlines()
    assert lines[:-1] == [f"shop.example leads to {NAME} only below {path} (haystack.path)" for path in paths[:50]]
    assert lines[-1] == "3 more have this host, but not the path"
    lines = run(shown, ["explain", "localhost"]).text.splitlines()
    assert len([line for line in lines if "is ignored" in line]) == 50
    assert "3 more ask for this host, and may not have it" in lines


@pytest.mark.parametrize("url", ["", "http://", "/x", "http://a:b/", "http://[::1/"])
def test_no_url(url):
    assert said(url)[0] == 2


def test_a_url_of_parts():
    assert read("Shop.Example:81/a?b#c") == Asked("shop.example", 81, "/a")


def test_a_host_of_some_containers_says_so_and_shows_them_alone():
    shown = site()
    service = Service(
        name=NAME, endpoints=(ENDPOINT, replace(SECOND, container="cd" * 32)), claims=claimed(["one.example"], None, (ENDPOINT,))
    )
    shown.snapshot.services = {NAME: service}
    text = run(shown, ["explain", "one.example"]).text
    assert f"this leads to 1 of its 2 containers: those with these labels haystack.host and haystack.path; {NAME} leads to all" in text
    assert "picked: abababababab:80/tcp (weight 100), the only endpoint that is in" in text
    assert "cdcdcdcdcdcd" not in text
    assert "this leads to" not in run(shown, ["explain", NAME]).text
    assert f"host one.example: {ENDPOINT.container_name}" in run(shown, ["service", NAME]).text
    told = [shapes.service_shape(each, 5, 0.0) for each in shapes.memberships(shown.snapshot)]
    assert [each["claims"] for each in told] == [[{"host": "one.example", "path": "/"}], []]
    assert [each["hosts"] for each in told] == [["one.example"], []]


@pytest.mark.parametrize(("url", "end"), [("localhost", "Haystack itself answers"), ("x.services.haystack", "404")])
def test_a_host_that_no_container_may_have_is_told_with_what_to_do(url, end):
    shown = site()
    options = Options(hosts=("localhost", "*.services.haystack"))
    shown.snapshot.containers[ID] = replace(shown.snapshot.containers[ID], name="thief", options=options)
    first, *told = run(shown, ["explain", url]).text.splitlines()
    assert first.endswith(end)
    assert any(line.startswith("thief has the label haystack.host=") and "is ignored" in line for line in told), told


HOSTS = st.sampled_from(["a.x", "b.a.x", "*.x", "*.a.x", "x", "c.b.a.x"])
PATHS = st.sampled_from([None, "/", "/p", "/p/", "/p/q", "/pq"])
CARRIERS = st.sampled_from([(ENDPOINT,), (SECOND,), (ENDPOINT, SECOND)])
CLAIMS = st.dictionaries(st.tuples(HOSTS, PATHS.map(prefix)), CARRIERS, max_size=3)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(CLAIMS, PATHS), max_size=6),
    st.lists(
        st.tuples(st.sampled_from(["a.x", "x", "z.a.x", "y.x", "c.b.a.x", "s1.services.o", "s_1.services.o", "s_0.services.o"]), PATHS),
        min_size=1,
        max_size=6,
    ),
)
def test_it_agrees_with_the_router(services, questions):
    made = [
        Service(
            name=f"s{n}.services.o",
            endpoints=(ENDPOINT, SECOND),
            claims=tuple(Carried(host=host, path=below, endpoints=carriers) for (host, below), carriers in claims.items()),
            path=path,
            spelled=(f"s_{n}.services.o",) if n % 2 else (),
        )
        for n, (claims, path) in enumerate(services)
    ]
    router = Router()
    routes = Routes((80, 8080), router)
    snapshot = Snapshot(version=1, created=0.0, origin="o", services={s.name: s for s in made})
    routes.apply(oracle.of(snapshot, usual("p2c", 1.0, 0.0)))
    for host, path in questions:
        asked = Asked(host, None, path or "/")
        found, route = at_once(find(made, asked)), router.lookup(0, host.encode(), asked.path.encode())
        assert (found.service.name if found else None) == (route.service if route else None)
        assert [e.id for e in found.endpoints] == [m.endpoint.key for m in route.members] if found else route is None


def test_rules_that_fit_too_are_told_with_why_they_are_not_followed():
    seen = picture()
    carried = {
        "a": [("*.example", "/")],
        "b": [("shop.example", "/")],
        "c": [("shop.example", "/api")],
        "d": [("shop.example", "/api")],
        "e": [("shop.example", "/other")],
    }
    seen.services = {
        name: Service(name=name, endpoints=(ENDPOINT,), claims=tuple(Carried(host=h, path=p, endpoints=(ENDPOINT,)) for h, p in claims))
        for name, claims in carried.items()
    }
    text = run(state(snapshot=seen), ["explain", "http://shop.example/api/x"]).text
    assert text.startswith("service c, by host shop.example and path prefix /api")
    assert [line for line in text.splitlines() if line.startswith("shadowed")] == [
        "shadowed: d, by shop.example/api: the other comes first by name",
        "shadowed: b, by shop.example: its path is shorter",
        "shadowed: a, by *.example: its host is less specific",
    ]
    assert "shadowed" not in run(state(snapshot=seen), ["explain", "http://x.example/"]).text

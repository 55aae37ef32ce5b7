"""Routes over endpoints: which rules a table makes, and what a change of it leaves standing."""

from __future__ import annotations

import gc
import time

import msgspec
import pytest

from haystack._fast.balance import pickers
from haystack._fast.endpoint.endpoint import Endpoint, Member, Route
from haystack._fast.routing.router import Router
from haystack.model.records import SPOKEN, ConnectionOptions
from haystack.model.service_options import ServiceOptions
from haystack.proxy.worker_routes import Routes, plain
from haystack.proxy.worker_trust import WorkerTrust
from haystack.routing.rows import EndpointRow, ServiceRow, Table
from haystack.tls.messages import Authorities
from tests.fakes.pki import Authority
from tests.oracles.routing_table import changes

A, B = EndpointRow("a:80/tcp", "10.0.0.1", 80, 100), EndpointRow("b:80/tcp", "10.0.0.2", 80, 100)


def service(name, *endpoints, alt=None, hosts=(), path="/", **options):
    listeners = (endpoints,) if alt is None else (endpoints, alt)
    return ServiceRow(name, (name, *hosts), ServiceOptions(balance="random", timeout=1.0, **options), listeners, path)


class Fed(Routes):
    """Routes with a router of their own, that are told of whole tables by what changes, as a worker is."""

    def __init__(self, client=plain):
        self.router = Router()
        self.table = Table(0, ())
        super().__init__((80, 8080), self.router, client=client)

    def show(self, *services):
        old, self.table = self.table, Table(self.table.version + 1, services)
        for part in changes(old, self.table):
            self.apply(part)

    def find(self, host, path="/", listener=0):
        return self.router.lookup(listener, host.encode(), path.encode())

    def name(self, host, path="/"):
        found = self.find(host, path)
        return found and found.service


@pytest.fixture
def routes():
    return Fed()


def test_a_route_for_every_host_on_every_listener(routes):
    routes.show(service("web", A, alt=(B,), hosts=("www",)))
    first, second = (routes.find("web", listener=n) for n in (0, 1))
    assert first is routes.find("www")
    assert [m.endpoint.label for m in first.members] == ["10.0.0.1:80"]
    assert [m.endpoint.label for m in second.members] == ["10.0.0.2:80"]
    assert [m.port for m in (*first.members, *second.members)] == [80, 8080]


def test_a_path_restricts_all_hosts_of_the_service(routes):
    routes.show(service("web", A, hosts=("app.example",)), service("api", A, hosts=("app.example",), path="/api"))
    assert [routes.name("app.example", path) for path in ("/", "/api", "/api/x", "/apix")] == ["web", "api", "api", "web"]
    assert [routes.name("api", path) for path in ("/", "/api")] == [None, "api"]


def test_an_endpoint_has_one_cell_whoever_serves_by_it(routes):
    routes.show(service("web", A), service("api", A))
    members = [routes.find(host, listener=n).members[0] for host in ("web", "api") for n in (0, 1)]
    assert (len({id(m.endpoint) for m in members}), len({id(m) for m in members})) == (1, 4)


def test_cells_and_members_survive_a_change(routes):
    routes.show(service("web", A, B))
    old = routes.find("web").members
    routes.show(service("web", B, A))
    new = routes.find("web").members
    assert new == [old[1], old[0]]
    assert not any(m.endpoint.gone for m in new)


def test_what_did_not_change_keeps_its_route(routes):
    routes.show(service("web", A), service("api", B))
    web, api = routes.find("web"), routes.find("api")
    routes.show(service("web", A), service("api", A))
    assert routes.find("web") is web
    assert routes.find("api") is not api


def test_a_limit_holds_for_each_endpoint_until_the_service_has_none(routes):
    limited = service("web", A, B, max_connections=7)
    for shown, limit in ((limited, 7), (service("web", A, B), 0), (limited, 7)):
        routes.show(shown)
        assert [m.endpoint.limit for m in routes.find("web").members] == [limit] * 2


def test_of_limits_on_one_endpoint_the_smallest_holds_for_all(routes):
    """docs/limits.md: it is the endpoint that can do no more, whoever asks."""

    def shown(*limits):
        rows = (service(f"s{n}", A, max_connections=limit) for n, limit in enumerate(limits) if limit is not None)
        routes.show(*rows)
        return routes.find("s0").members[0].endpoint.limit

    assert [shown(9), shown(9, 3), shown(9, 3, 0), shown(9, 5, 7), shown(9, None, 7), shown(0, None, 7), shown(0, None, None)] == [
        9,
        3,
        3,
        5,
        7,
        7,
        0,
    ]


def test_an_endpoint_keeps_nothing_of_services_that_have_gone(routes):
    """Thousands of redeploys around one endpoint: what it knows of them does not grow."""
    routes.show(service("stays", A))
    endpoint = routes.find("stays").members[0].endpoint
    for n in range(50):
        routes.show(service("stays", A), service(f"s{n}", A, B, max_connections=7))
        routes.show(service("stays", A), service(f"s{n}", B, max_connections=7))
        assert endpoint.limit == 0
    routes.forget_drained()
    routes.show(service("stays", A))
    gc.collect()
    held = [each for each in gc.get_referents(endpoint) if isinstance(each, (dict, list)) and each]
    assert held == [], held


def test_a_whole_table_takes_the_place_of_all(routes):
    routes.show(service("web", A))
    routes.apply(Table(9, (service("api", A),)))
    assert (routes.name("web"), routes.name("api")) == (None, "api")


def test_another_address_is_another_cell(routes):
    routes.show(service("web", A))
    old = routes.find("web").members[0].endpoint
    routes.show(service("web", EndpointRow(A.id, "10.0.0.9", 80, 100)))
    new = routes.find("web").members[0].endpoint
    assert (old.gone, new.gone, new.address) == (True, False, ("10.0.0.9", 80))


def test_another_process_at_the_same_address_is_the_same_cell_with_a_new_beginning(routes):
    routes.show(service("web", A))
    endpoint = routes.find("web").members[0].endpoint
    routes.show(service("web", EndpointRow(A.id, A.address, A.port, 100, 1234.5)))
    assert (routes.find("web").members[0].endpoint is endpoint, endpoint.born) == (True, 1234.5)


def spoken(name, address, port, protocol, **tls):
    return EndpointRow(name, address, port, 100, connection=ConnectionOptions(protocol=protocol, **tls))


def test_each_endpoint_is_spoken_to_as_its_own_row_has_it(routes):
    rows = [spoken(f"{word}:80/tcp", f"10.0.1.{n}", 80, word) for n, word in enumerate(SPOKEN, 1)]
    routes.show(service("web", *rows))
    endpoints = {m.endpoint.key: m.endpoint for m in routes.find("web").members}
    assert [endpoints[row.id].protocol for row in rows] == [0, 1, 2, 3]
    routes.show(service("web", msgspec.structs.replace(rows[0], connection=ConnectionOptions(protocol="https"))))
    assert endpoints[rows[0].id].protocol == 3


def awaited(on=True, *endpoints):
    return msgspec.structs.replace(service("web", *endpoints), awaited=on)


def test_requests_wait_from_when_the_last_one_left_or_the_first_one_is_expected(routes):
    def since():
        return routes.find("web").queue.empty_since

    routes.show(awaited(False))
    assert since() == 0, "nobody is there, nor expected: nothing to wait for"
    routes.show(awaited())
    began = since()
    assert 0 < began <= time.monotonic() * 1000
    routes.show(msgspec.structs.replace(awaited(), why="another reason"))
    assert since() == began, "it is expected still"
    routes.show(service("web", A))
    routes.find("web").queue.empty_since = 0
    routes.show(awaited(False))
    assert since() > 0, "it has lost its last one"


def test_what_leaves_the_table_pools_nothing_unless_another_serves_by_it(routes):
    routes.show(service("web", A, B), service("api", A))
    old = routes.find("web").members
    routes.show(service("web", B), service("api", A))
    assert [m.endpoint.gone for m in old] == [False, False]
    routes.show(service("web", B))
    assert [m.endpoint.gone for m in old] == [True, False]


def test_what_left_is_kept_until_it_has_drained(routes):
    routes.show(service("web", A))
    routes.show()
    assert len(routes._leaving) == 2
    routes.forget_drained()
    assert not routes._leaving
    assert routes._draining  # the word that it was told to stop may come late
    routes.forget_drained()
    assert not routes._draining


def test_who_comes_back_while_it_drains_is_whole_again(routes):
    routes.show(service("web", A))
    old = routes.find("web").members[0]
    routes.show()
    routes.show(service("web", A), service("api", A))
    assert routes.find("web").members == [old]
    assert routes.find("api").members[0].endpoint is old.endpoint
    assert not old.endpoint.gone
    assert not routes._leaving
    assert not routes._draining


def test_who_comes_back_later_is_new(routes):
    routes.show(service("web", A))
    old = routes.find("web").members[0]
    routes.show()
    for _ in range(2):
        routes.forget_drained()
    routes.show(service("web", A))
    new = routes.find("web").members[0]
    assert new is not old
    assert new.endpoint is not old.endpoint


@pytest.mark.parametrize("turned", [False, True])
def test_of_two_that_claim_the_same_the_first_by_name_wins_and_the_other_waits(routes, turned):
    both = [service("one", A, hosts=("app",)), service("two", B, hosts=("app",))]
    routes.show(*(both[::-1] if turned else both))
    assert routes.name("app") == "one"
    routes.show(both[1])
    assert routes.name("app") == "two"
    routes.show(*both)
    assert routes.name("app") == "one"
    routes.show()
    assert routes.name("app") is None
    assert routes.router.rules == 0


def test_nobody_takes_a_services_own_name(routes):
    routes.show(service("a", A, hosts=("web",)), service("web", B))
    assert routes.name("web") == "web"


def test_haystack_itself_has_its_own_names_whoever_claims_them(routes):
    member = Member(Endpoint("haystack", "/run/x.sock"), "haystack", 0)
    routes.add_itself(Route("itself", pickers.make("random", [member], [100]), ServiceOptions(timeout=1.0)), ("", "localhost"))
    assert [routes.name(h) for h in ("", "localhost", "127.0.0.1", "web")] == ["itself", "itself", "itself", None]
    routes.show(service("web", A, hosts=("localhost",), path="/app"))
    assert [routes.name("localhost", path) for path in ("/", "/app/")] == ["itself", "itself"]
    routes.apply(Table(9, ()))
    assert routes.name("localhost", "/app/") == "itself"


def test_a_host_that_passes_to_another_service_is_never_nobodys(routes):
    old = [service(f"s{n}", A) for n in range(500)]
    routes.show(service("a", A, hosts=("app",)), *old)
    before, routes.table = routes.table, Table(2, (service("a", A), *(service(s.name, B) for s in old), service("z", B, hosts=("app",))))
    served = []
    for part in changes(before, routes.table):
        routes.apply(part)
        served.append(routes.name("app"))
    assert len(served) > 2
    assert None not in served
    assert served[-1] == "z"


@pytest.fixture
def collector_off():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("collector_off")
def test_a_service_that_has_left_needs_no_search_for_garbage(routes):
    """The worker sets its routes aside from that search, where they would stay for ever: 600 services redeployed cost a megabyte."""
    routes.show(service("leaves-here", A, alt=(B,), hosts=("www",)), service("stays-here", A))
    routes.show(service("leaves-here"), service("stays-here", A))
    routes.show(service("stays-here", A))
    routes.forget_drained()
    left = [each.service for each in gc.get_objects() if isinstance(each, Route | Member)]
    assert "leaves-here" not in left
    assert "stays-here" in left


PATH = "/.well-known/acme-challenge/"


@pytest.fixture
def proving(routes):
    """Routes that lead who looks for a challenge to `proofs`."""
    member = Member(Endpoint("haystack", "/socket"), "proofs", 0)
    routes.add_proofs(Route("proofs", pickers.make("random", [member], [100]), ServiceOptions(timeout=1.0)))
    return routes


def test_a_pending_challenge_goes_before_its_service_and_nothing_else_does(proving):
    proving.show(service("web", A, hosts=("www", "*.com")), service("api", B, hosts=("www",), path=PATH))
    proving.prove([("www", "one"), ("a.com", "two")])
    assert proving.name("www", PATH + "one") == "proofs"
    assert proving.find("www", PATH + "one", listener=1).service == "proofs"
    assert [proving.name("www", path) for path in (PATH + "two", PATH + "on", PATH, "/")] == ["api", "api", "api", "web"]
    assert [proving.name("a.com", path) for path in (PATH + "two", PATH + "one", "/")] == ["proofs", "web", "web"]
    assert proving.name("b.com", PATH + "two") == "web"


def test_it_is_anybodys_who_asks_and_goes_with_its_end(proving):
    proving.show(service("web", A, hosts=("www",)))
    proving.prove([("www", "one")])
    assert proving.find("www", PATH + "one").guard == 0
    proving.prove([("www", "two")])
    assert [proving.name("www", PATH + token) for token in ("one", "two")] == ["web", "proofs"]
    proving.prove([])
    assert proving.name("www", PATH + "two") == "web"
    assert proving.router.rules == 2


def test_it_outlives_its_service_and_a_whole_new_table(proving):
    proving.show(service("web", A, hosts=("www",)))
    proving.prove([("www", "one")])
    proving.show()
    assert [proving.name("www", path) for path in (PATH + "one", "/")] == ["proofs", None]
    proving.apply(Table(9, (service("web", A, hosts=("www",)),), whole=True))
    assert [proving.name("www", path) for path in (PATH + "one", "/")] == ["proofs", "web"]


def test_no_label_takes_the_place_of_a_challenge(proving):
    proving.prove([("www", "one")])
    proving.show(service("web", A, hosts=("www",), path=PATH + "one"))
    assert proving.name("www", PATH + "one") == "proofs"
    proving.prove([])
    assert proving.name("www", PATH + "one") == "web"


async def test_endpoints_with_the_same_ca_have_one_client_and_a_change_of_it_reaches_them(tmp_path):
    told: list[Exception] = []
    trust = WorkerTrust(told.append)
    pem = Authority(tmp_path).path.read_bytes()
    one, two = (ConnectionOptions(protocol="https", tls_server_name=name, tls_ca="/ca") for name in ("db", "other"))
    client = trust.client(one)
    assert (trust.client(two) is client, trust.client(A.connection), client.is_ready) == (True, None, False)
    await trust.take(Authorities((("/ca", (pem,)),)))
    assert client.is_ready
    version = client.version
    await trust.take(Authorities((("/ca", (pem,)),)))
    assert client.version == version
    await trust.take(Authorities((("/ca", (pem, b"nothing")),)))
    assert (client.version, len(told)) == (version + 1, 1)
    await trust.take(Authorities())
    assert not client.is_ready
    open_one = msgspec.structs.replace(one, tls_verify=False)
    assert trust.client(open_one).is_ready


async def test_another_way_of_speaking_keeps_nothing_of_the_old_one(tmp_path):
    trust = WorkerTrust([].append)
    routes = Fed(trust.client)
    row = spoken("a", "10.0.0.1", 1, "https", tls_server_name="db", tls_ca="/ca")
    routes.show(service("web", row))
    endpoint = routes.find("web").members[0].endpoint
    first = endpoint.tls
    routes.show(service("web", row, B))
    assert endpoint.tls is first
    routes.show(service("web", spoken("a", "10.0.0.1", 1, "https", tls_server_name="other", tls_ca="/ca")))
    assert (endpoint.tls is first, endpoint.tls.name) == (False, "other")
    routes.show(service("web", spoken("a", "10.0.0.1", 1, "http")))
    assert endpoint.tls is None

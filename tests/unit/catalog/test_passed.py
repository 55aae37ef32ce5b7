"""TLS that is passed through: which port of which container, which names, and what others with the same name are told."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from haystack._fast.routing.router import Router
from haystack.catalog import claims
from haystack.health import probe
from haystack.loop.turns import at_once
from haystack.model import ports, unproxied
from haystack.model.endpoints import endpoints
from haystack.model.records import Container, Listing, Options
from haystack.model.services import Endpoint
from haystack.model.snapshot import Snapshot
from haystack.proxy.worker_routes import Routes
from haystack.routing.rows import ServiceRow
from haystack.routing.table_updates import Tables
from haystack.tls.acme import wanted
from tests.fakes.usual import usual
from tests.oracles.snapshot import build

APP = "app.example"


def container(number: int, service: str = "web", listed: tuple[int, ...] = (80, 443), **options: Any) -> Container:
    chosen = {"https": "passthrough", "hosts": (APP,)} | options
    return Container(
        id=f"{number:x}" * 64,
        name=f"c{number}",
        engine="e",
        services=(service,),
        address=f"10.0.0.{number}",
        ports=tuple(ports.named(n, "tcp") for n in listed),
        options=Options(**chosen),
    )


class Site:
    """From containers to the rows, and to what a worker makes of them."""

    def __init__(self) -> None:
        self.router = Router()
        self.routes = Routes((80, 8080), self.router, secure=443)
        self.tables = Tables(usual("random", 60.0, 10.0))
        self.snapshot = Snapshot(version=0, created=0.0, origin="haystack")

    def show(self, *containers: Container) -> None:
        self.show_all({"x": containers})

    def show_all(self, engines: dict[str, tuple[Container, ...]]) -> None:
        """The same of several engines."""
        listings = {name: Listing(containers=containers) for name, containers in engines.items()}
        self.snapshot = build(self.snapshot.version + 1, "haystack", listings, 0.0, self.snapshot)
        for part in at_once(self.tables.follow(self.snapshot, 0.0)):
            self.routes.apply(part)

    def rows(self) -> dict[str, ServiceRow]:
        return {row.key: row for row in self.tables.whole().services}

    def problems(self) -> list[str]:
        return [p.message for _, p in self.snapshot.problems]

    def passed(self, host: str) -> list[str] | None:
        """Where the TLS of a name leads by the rules for that alone."""
        if self.router.passing is None:
            return None
        route = self.router.passing.lookup(0, host.encode(), b"/")
        return [m.endpoint.label for m in route.members] if route is not None else None


@pytest.fixture
def site() -> Site:
    return Site()


@pytest.mark.parametrize(
    ("listed", "options", "found"),
    [
        ((80, 443), {}, {80: "http", 443: "https"}),
        ((8443, 443), {}, {443: "https", 8443: None}),
        ((8080, 8443), {}, {8080: "http-alt", 8443: "https"}),
        ((80, 443, 9000), {"port": 9000}, {80: "http", 443: None, 9000: "https"}),
        ((80,), {"port": 8883}, {80: "http", 8883: "https"}),
        ((80, 443), {"hosts": ()}, {80: "http", 443: None}),
        ((80, 443), {"https": "on"}, {80: "http", 443: None}),
        ((80, 443), {"https": None, "port": 443}, {80: None, 443: "http"}),
        ((22,), {}, {22: None}),
    ],
)
def test_the_port(listed, options, found):
    assert {e.port: e.listener for e in endpoints("haystack", container(1, listed=listed, **options))} == found


def test_no_other_protocol_is_meant():
    udp = msgspec.structs.replace(container(1), ports=(ports.named(443, "udp"),))
    assert [e.listener for e in endpoints("haystack", udp)] == [None]


def test_the_rows(site):
    site.show(container(1), container(2))
    rows = site.rows()
    assert {key: (row.options.https, row.path) for key, row in rows.items()} == {
        "web.services.haystack": ("on", "/"),
        f"web.services.haystack {APP}/": ("passthrough", "/"),
        f"web.services.haystack {APP}": ("raw", ""),
    }
    assert {e.port for e in rows[f"web.services.haystack {APP}/"].listeners[0]} == {80}
    assert {e.port for e in rows[f"web.services.haystack {APP}"].listeners[0]} == {443}
    assert site.passed(APP) == ["10.0.0.1:443", "10.0.0.2:443"]
    assert site.problems() == []


def test_a_container_with_tls_alone(site):
    site.show(container(1, listed=(443,)))
    service = site.snapshot.services["web.services.haystack"]
    assert not service.has_http
    assert service.passed == {APP}
    assert unproxied.unheard(service) == f"it has TLS alone, which is passed through to it for {APP}"
    assert {row.key for row in site.rows().values()} == {"web.services.haystack", f"web.services.haystack {APP}"}
    assert site.rows()["web.services.haystack"].mute
    assert site.passed(APP) == ["10.0.0.1:443"]


def test_only_containers_with_the_label_have_a_part_in_it(site):
    site.show(container(1), container(2, https=None), container(3, hosts=()))
    assert site.passed(APP) == ["10.0.0.1:443"]
    assert {e.port for e in site.rows()["web.services.haystack"].listeners[0]} == {80}
    assert len(site.rows()["web.services.haystack"].listeners[0]) == 3


def test_it_comes_and_goes_without_a_trace(site):
    assert site.router.passing is None
    site.show(container(1), container(2, "other", hosts=("*.wild.example",)))
    assert site.passed("a.b.wild.example") == ["10.0.0.2:443"]
    site.show(container(2, "other", https="on", hosts=("*.wild.example",)))
    assert site.passed("a.b.wild.example") == [], "requests wait for a while"
    for part in site.tables.expire(1e9):
        site.routes.apply(part)
    assert site.router.passing is None, "hellos are not looked at any more"


def test_a_name_that_is_passed_through_is_not_served_within_tls_by_others(site):
    mixed, plain = container(2, "zeta", https=None, path="/x"), container(3, "apple", https="off")
    site.show(container(1), mixed, plain)
    (told,) = [p for p in site.problems() if "passed through" in p]
    assert (
        told == f"https://{APP} is passed through to web.services.haystack (haystack.https=passthrough), and can't be served by others too"
    )
    assert claims.contested(site.snapshot.services.values()).keys() == {"web.services.haystack", "zeta.services.haystack"}
    site.show(mixed, plain)
    assert [p for p in site.problems() if "passed through" in p] == []
    site.show(container(1), mixed, plain)
    assert len([p for p in site.problems() if "passed through" in p]) == 1


def test_two_services_that_want_the_same_name_passed_through(site):
    site.show(container(1, "b"), container(2, "a"))
    assert site.passed(APP) == ["10.0.0.2:443"]
    assert f"{APP} is served by a.services.haystack, which claims it too" in site.problems()
    site.show(container(1, "b"))
    assert site.passed(APP) == ["10.0.0.1:443"]


def of_engines(first: Container, second: Container, *, turned: bool) -> dict[str, tuple[Container, ...]]:
    """One container of each of two engines, in the order in which these were listed."""
    listed = {name: (msgspec.structs.replace(each, engine=name),) for name, each in (("one", first), ("two", second))}
    return dict(reversed(listed.items())) if turned else listed


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("https", [None, "passthrough"])
def test_of_two_engines_services_the_first_by_name_has_a_host_and_the_other_is_told(site, https, turned):
    """Whichever engine was listed first: its containers' labels weigh no more than those of the other."""
    site.show_all(of_engines(container(1, "b", https=https), container(2, "a", https=https), turned=turned))
    lost = claims.contested(site.snapshot.services.values())
    assert lost.keys() == {"b.services.haystack"}
    assert {f"{APP}/ is served by a.services.haystack, which claims it too"} <= {p.message for p in lost["b.services.haystack"]}
    found = site.router.lookup(0, APP.encode(), b"/")
    assert [m.endpoint.label for m in found.members] == ["10.0.0.2:80"]
    assert site.passed(APP) == (["10.0.0.2:443"] if https else None)


@pytest.mark.parametrize("turned", [False, True])
def test_what_one_engine_passes_through_another_one_does_not_serve_until_it_has_gone(site, turned):
    """Also where the service that is served is the first by name: one of the two can read the bytes, and the other says so."""
    both = of_engines(container(1, "a", https=None), container(2, "z"), turned=turned)
    site.show_all(both)
    assert site.passed(APP) == ["10.0.0.2:443"]
    told = [p.message for p in claims.contested(site.snapshot.services.values())["a.services.haystack"]]
    assert told == [
        f"https://{APP} is passed through to z.services.haystack (haystack.https=passthrough), and can't be served by others too"
    ]
    site.show_all({"one": both["one"]})
    for part in site.tables.expire(1e9):
        site.routes.apply(part)
    assert site.passed(APP) is None
    assert claims.contested(site.snapshot.services.values()) == {}


@pytest.mark.parametrize(
    ("options", "listed", "told"),
    [
        ({"hosts": ()}, (80, 443), "has no effect: it is for the names of haystack.host, and there is none"),
        ({}, (80,), "has no effect: port 443 or 8443 is not exposed; set haystack.port to the port that speaks TLS"),
    ],
)
def test_a_label_without_effect_is_told(site, options, listed, told):
    site.show(container(1, listed=listed, **options))
    assert site.problems() == [f"'passthrough' of c1 {told}"]
    assert site.passed(APP) is None
    assert {row.options.https for row in site.rows().values()} == {"on"}


def test_no_certificate_is_ordered_for_it(site):
    site.show(container(1))
    service = site.snapshot.services["web.services.haystack"]
    assert wanted.of(service) == ()


def test_a_check_over_http_is_not_made_of_a_port_with_tls():
    options = Options(https="passthrough", hosts=(APP,), health={"path": "/up"})
    made = container(1)
    web, tls = endpoints("haystack", msgspec.structs.replace(made, options=options))
    assert probe.of(options, web) is not None
    assert probe.of(options, tls) is None
    assert probe.of(Options(health={"path": "/up", "port": "80"}), tls) is not None


@pytest.mark.parametrize(
    ("version", "own", "other"), [(0, b"", b""), (1, b"PROXY UNKNOWN\r\n", b""), (2, b"\r\n\r\n\x00\r\nQUIT\n \x00\x00\x00", b"")]
)
def test_checks_of_an_endpoint_that_wants_a_proxy_header_begin_with_one(version, own, other):
    endpoint: Endpoint = endpoints("haystack", container(1, listed=(80,), proxy_protocol=version))[0]
    here, elsewhere = (probe.of(Options(health={"path": "/up"} | more), endpoint) for more in ({}, {"port": "81"}))
    assert here is not None
    assert elsewhere is not None
    assert (here.greeting, elsewhere.greeting) == (own, other)

"""A claim serves those who carry it, and no claim takes what is Haystack's own: from containers to what a worker would do."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from haystack._fast.balance import pickers
from haystack._fast.endpoint.endpoint import Endpoint as Compiled
from haystack._fast.endpoint.endpoint import Member, Route
from haystack._fast.routing.router import Router
from haystack.health.policy import WELL, Condition
from haystack.loop.turns import at_once
from haystack.model import ports
from haystack.model.records import Container, Listing, Options
from haystack.model.service_options import ServiceOptions
from haystack.model.services import Endpoint
from haystack.model.snapshot import Snapshot
from haystack.proxy.worker_routes import Routes
from haystack.routing.table_updates import Tables
from haystack.routing.tombstones import Lingering
from tests.fakes.usual import usual
from tests.oracles.snapshot import build

NGINX = "nginx.services.haystack"


def container(number: int, *hosts: str, path: str | None = None, services: tuple[str, ...] = ("nginx",), **fields: Any) -> Container:
    options = Options(hosts=hosts, path=path, **fields.pop("options", {}))
    fields = {"ports": (ports.named(80, "tcp"),), "address": f"10.0.0.{number}", **fields}
    return Container(id=f"{number:x}" * 64, name=f"c{number}", engine="e", services=services, options=options, **fields)


class Worker:
    """A worker's routes, fed with what becomes of the containers of one engine."""

    def __init__(self, origin: str = "haystack") -> None:
        self.router = Router()
        self.routes = Routes((80, 8080), self.router)
        self.tables = Tables(usual("random", 60.0, 10.0), Lingering(60.0))
        self.snapshot = Snapshot(version=0, created=0.0, origin=origin)
        itself = Member(Compiled("haystack", "/run/x.sock"), "haystack", 0)
        self.routes.add_itself(
            Route("itself", pickers.make("random", [itself], [100]), ServiceOptions(timeout=1.0)), ("", "localhost", origin, f"ns.{origin}")
        )
        self.ill: dict[str, Condition] = {}

    def show(self, *containers: Container, now: float = 0.0) -> None:
        def condition(found: Container, _: Endpoint) -> Condition:
            return self.ill.get(found.name, WELL)

        listings = {"x": Listing(containers=containers)}
        self.snapshot = build(self.snapshot.version + 1, self.snapshot.origin, listings, now, self.snapshot, condition)
        for part in at_once(self.tables.follow(self.snapshot, now)):
            self.routes.apply(part)

    def route(self, host: str, path: str = "/") -> Route | None:
        return self.router.lookup(0, host.encode(), path.encode())

    def members(self, host: str, path: str = "/") -> list[str] | None:
        """Who answers there; None: 404."""
        route = self.route(host, path)
        return None if route is None else ["itself" if m.service == "haystack" else f"c{m.endpoint.label[7]}" for m in route.members]

    def problems(self) -> list[str]:
        return [p.message for _, p in self.snapshot.problems]


@pytest.fixture
def worker() -> Worker:
    return Worker()


def test_a_host_leads_to_the_containers_that_carry_it_and_the_services_own_name_to_all(worker: Worker) -> None:
    worker.show(container(1, "one.example"), container(2, "two.example", "both.example"), container(3), container(4, "both.example"))
    assert worker.members("one.example") == ["c1"]
    assert worker.members("two.example") == ["c2"]
    assert worker.members("both.example") == ["c2", "c4"]
    assert worker.members(NGINX) == ["c1", "c2", "c3", "c4"]
    assert worker.problems() == []


def test_a_path_is_of_the_hosts_of_its_container(worker: Worker) -> None:
    worker.show(container(1, "one.example", path="/a"), container(2, "one.example", path="/b/"), container(3, "one.example"))
    assert [worker.members("one.example", path) for path in ("/a/x", "/b", "/c")] == [["c1"], ["c2"], ["c3"]]
    assert worker.members(NGINX, "/anything") == ["c1", "c2", "c3"]
    assert worker.problems() == []


def test_a_path_that_all_containers_agree_on_is_that_of_the_services_own_name_too(worker: Worker) -> None:
    mute = container(3, ports=(ports.named(443, "tcp"),))
    worker.show(container(1, path="/api"), container(2, "one.example", path="/api/"), mute)
    assert [worker.members(NGINX, path) for path in ("/api", "/")] == [["c1", "c2"], None]
    assert worker.members("one.example", "/api") == ["c2"]


def test_a_path_that_counts_nowhere_is_told(worker: Worker) -> None:
    worker.show(container(1, path="/api"), container(2))
    assert worker.members(NGINX) == ["c1", "c2"]
    (told,) = worker.problems()
    assert told.startswith("'/api' of c1 has no effect")
    assert "haystack.host" in told


def test_old_and_new_container_of_a_redeploy_are_one_set(worker: Worker) -> None:
    worker.show(container(1, "one.example"), container(3))
    worker.show(container(1, "one.example"), container(2, "one.example"), container(3))
    assert worker.members("one.example") == ["c1", "c2"]
    worker.show(container(1, "one.example", state="stopping"), container(2, "one.example"), container(3))
    assert worker.members("one.example") == ["c2"]
    assert worker.problems() == []


def test_a_claim_that_loses_its_last_container_waits_like_a_service_that_has_while_the_others_live(worker: Worker) -> None:
    worker.show(container(1, "one.example"), container(3))
    worker.show(container(3), now=1.0)
    route = worker.route("one.example")
    assert route is not None
    assert (route.members, route.wait_ms, route.why) == ([], 10_000, "gone")
    assert route.queue.empty_since > 0
    assert worker.members(NGINX) == ["c3"]
    worker.show(container(2, "one.example"), container(3), now=2.0)
    assert worker.members("one.example") == ["c2"]
    worker.show(container(3), now=3.0)
    for part in worker.tables.expire(63.0):
        worker.routes.apply(part)
    assert worker.members("one.example") is None


def test_an_endpoint_has_one_cell_and_so_one_pool_however_many_names_lead_to_it(worker: Worker) -> None:
    worker.show(container(1, "one.example", "uno.example", options={"max_connections": 6}), container(2))
    routes = [worker.route(host) for host in ("one.example", "uno.example", NGINX)]
    assert len({m.endpoint for route in routes if route for m in route.members if m.endpoint.label == "10.0.0.1:80"}) == 1
    assert [route.members[0].endpoint.limit for route in routes if route] == [6, 6, 6]
    assert len({route.members[0].cookie_value for route in routes if route}) == 1
    worker.show(container(1, "one.example", options={"max_connections": 6}), container(2))
    assert [m.endpoint.gone for route in routes if route for m in route.members] == [False] * 4


def test_each_claim_has_a_queue_of_its_own_that_outlives_changes(worker: Worker) -> None:
    worker.show(container(1, "one.example"), container(2))
    first, own = worker.route("one.example"), worker.route(NGINX)
    worker.show(container(1, "one.example"), container(2), container(3, "one.example"))
    second = worker.route("one.example")
    assert first is not None
    assert second is not None
    assert own is not None
    assert second.queue is first.queue
    assert second.queue is not own.queue


def test_health_is_judged_among_those_who_carry_the_claim(worker: Worker) -> None:
    """The only one of its host is asked though it is not well, for nobody stands in; by the service's name the others are."""
    worker.show(container(1, "one.example", health="unhealthy"), container(2), container(3))
    assert worker.members("one.example") == ["c1"]
    assert worker.members(NGINX) == ["c2", "c3"]
    assert any("one.example/" in p.subject and "its only endpoint gets requests" in p.message for _, p in worker.snapshot.problems)


@pytest.mark.parametrize(
    ("waiting", "advised"), [("port 3000 does not accept", True), ("port 8443 has a certificate that is not accepted: self-signed", False)]
)
def test_of_one_that_never_began_to_work_the_problem_says_why_and_what_to_look_at(worker: Worker, waiting: str, advised: bool) -> None:
    worker.ill["c1"] = Condition(waiting=waiting, overdue=True)
    worker.show(container(1))
    (told,) = worker.problems()
    assert f"because there is no other (panic): {waiting}" in told
    assert ("is that the port on which the application listens (haystack.port)" in told) == advised


def test_what_a_claim_waits_for_is_told_and_awaited_though_others_are_in(worker: Worker) -> None:
    worker.ill["c1"] = Condition(waiting="port 80 does not answer")
    worker.show(container(1, "one.example"), container(2))
    route = worker.route("one.example")
    assert route is not None
    assert (route.members, route.why) == ([], "waiting: port 80 does not answer yet")
    assert route.queue.empty_since > 0
    assert worker.members(NGINX) == ["c2"]


def test_the_moment_of_a_claims_verdict_stays_as_long_as_the_verdict(worker: Worker) -> None:
    worker.show(container(1, "one.example"), container(2))
    for now in (10.0, 20.0):
        worker.show(container(1, "one.example", state="paused"), container(2), now=now)
    (claim,) = worker.snapshot.services[NGINX].claims
    assert [e.since for e in claim.endpoints] == [10.0]


def test_one_container_under_two_names_with_one_claim_is_no_conflict(worker: Worker) -> None:
    worker.show(container(1, "one.example", services=("nginx", "web.shop")), container(2, "one.example", services=("nginx", "web.shop")))
    assert worker.members("one.example") == ["c1", "c2"]
    assert worker.problems() == []


def test_whose_containers_are_all_among_the_winners_has_lost_nothing(worker: Worker) -> None:
    one, two = (container(n, "one.example", services=("nginx", f"web.shop{n}")) for n in (1, 2))
    worker.show(one, two)
    assert worker.members("one.example") == ["c1", "c2"]
    assert worker.problems() == []


def test_two_services_with_one_claim_have_the_same_winner_always_and_the_other_is_told(worker: Worker) -> None:
    one, two = container(1, "one.example", services=("b",)), container(2, "one.example", services=("a",))
    for shown in ((one, two), (two, one)):
        worker.show(*shown)
        assert worker.members("one.example") == ["c2"]
        assert worker.problems() == ["one.example/ is served by a.services.haystack, which claims it too"]
    worker.show(one)
    assert worker.members("one.example") == ["c1"]


OWN = ["localhost", "haystack", "ns.haystack", "*.haystack", "*.services.haystack", "other.services.haystack", "x.haystack"]
OWN += ["*.nginx.services.haystack", "c1.containers.haystack", "127.0.0.1", "1", "10.1", "*.0.0.1", "0x7f.1", "app.0x1"]


@pytest.mark.parametrize("host", OWN)
def test_what_haystack_host_may_not_be_is_ignored_alone_and_told(worker: Worker, host: str) -> None:
    before = [worker.members(each) for each in ("localhost", "haystack", "ns.haystack", "127.0.0.1", "other.services.haystack")]
    worker.show(container(1, host, "one.example", path="/healthz"), container(2))
    after = [worker.members(each, "/healthz") for each in ("localhost", "haystack", "ns.haystack", "127.0.0.1", "other.services.haystack")]
    assert after == before == [["itself"]] * 4 + [None]
    assert worker.members("one.example", "/healthz") == ["c1"]
    (told,) = worker.problems()
    assert repr(host) in told
    assert "c1" in told


@pytest.mark.parametrize("host", [NGINX, "web.shop.services.haystack"])
def test_a_services_own_name_as_its_host_says_nothing_new(worker: Worker, host: str) -> None:
    worker.show(container(1, host, services=("nginx", "web.shop")), container(2, services=("nginx", "web.shop")))
    assert worker.members(host) == ["c1", "c2"]
    assert worker.problems() == []


@pytest.mark.parametrize("host", ["app.localhost", "*.localhost", "*.app.localhost", "haystack.example", "xhaystack", "localhost.example"])
def test_names_beside_haystacks_own_are_free(worker: Worker, host: str) -> None:
    worker.show(container(1, host), container(2))
    assert worker.members(host.replace("*", "x")) == ["c1"]
    assert worker.problems() == []


@pytest.mark.parametrize(
    ("host", "free"),
    [("app.localhost", True), ("*.app.localhost", True), ("*.localhost", False), ("localhost", False)]
    + [(f"x.{branch}.localhost", False) for branch in ("services", "containers", "dockers")]
    + [("ns.localhost", False), ("services.localhost", False)],
)
def test_where_the_origin_is_localhost_what_people_call_their_sites_is_free(host: str, free: bool) -> None:
    worker = Worker("localhost")
    worker.show(container(1, host), container(2))
    assert (worker.problems() == []) == free
    assert (worker.members(host.replace("*", "x")) == ["c1"]) == free


def test_a_wildcard_over_an_origin_of_several_labels_is_refused_and_one_beside_it_not() -> None:
    worker = Worker("hs.corp.example")
    worker.show(container(1, "*.corp.example", "*.example", "*.www.corp.example", "corp.example"))
    assert [worker.members(h) for h in ("x.corp.example", "gone.services.hs.corp.example", "a.www.corp.example", "corp.example")] == [
        None,
        None,
        ["c1"],
        ["c1"],
    ]
    assert len(worker.problems()) == 2


def test_replicas_with_the_same_bad_host_are_told_of_in_one_line(worker: Worker) -> None:
    worker.show(*(container(n, "localhost") for n in (1, 2, 3)))
    (told,) = worker.problems()
    assert "c1 and 2 more" in told


def test_what_has_gone_leaves_no_tombstone_on_haystacks_own_names(worker: Worker) -> None:
    worker.show(container(1, "localhost", "haystack", "ns.haystack"))
    worker.show()
    assert [worker.members(h) for h in ("localhost", "haystack", "ns.haystack", "")] == [["itself"]] * 4
    assert worker.members(NGINX) == []


def test_a_change_costs_the_claims_that_it_touches_and_not_all_of_a_service(worker: Worker) -> None:
    """Sites of one image, each with a host of its own: who is well is judged once, and what is as it was is neither made nor told again."""
    asked: list[str] = []

    class Counting(dict[str, Condition]):
        def get(self, name: str, otherwise: Any = None) -> Any:
            asked.append(name)
            return super().get(name, otherwise)

    worker.ill = Counting()
    sites = [container(number, f"site{number}.example") for number in range(1, 10)]
    worker.show(*sites)
    assert sorted(asked) == [f"c{number}" for number in range(1, 10)]
    before = {row.key: row for row in worker.tables.whole().services}
    asked.clear()
    worker.show(msgspec.structs.replace(sites[0], state="paused"), *sites[1:])
    assert len(asked) == len(sites) + 1
    after = {row.key: row for row in worker.tables.whole().services}
    assert {key for key in after if after[key] is not before[key]} == {NGINX, f"{NGINX} site1.example/"}

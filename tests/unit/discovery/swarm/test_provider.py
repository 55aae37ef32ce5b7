"""The Swarm provider against fake managers: what it publishes, when it polls, and through which faults."""

import asyncio
import json
import re

import pytest
from structlog.testing import capture_logs

from haystack.catalog.registry import Registry
from haystack.discovery.docker.provider import DockerProvider
from haystack.discovery.docker.timing import Timing as EngineTiming
from haystack.discovery.docker.tls import TlsOptions
from haystack.discovery.swarm.provider import Search, SwarmProvider
from haystack.discovery.swarm.sightings import Sighted, Sightings
from haystack.discovery.swarm.timing import Timing
from haystack.model.records import Engine, Listing
from tests.fakes.engine import inspected, rfc3339
from tests.fakes.sink import FakeSink, running
from tests.fakes.swarm import OVERLAY, FakeSwarm, container_id, ident
from tests.fakes.worker import until

FAST = Timing(rest=0.1, busy=0.05, gap=0.01, stirred=0.2, answer=2.0, seek=0.05, again=0.02, leaving=0.3)
BY_EVENTS = Timing(rest=600.0, busy=0.02, gap=0.01, stirred=0.0)  # without one, it polls only while it is busy
ENGINE = EngineTiming(shortest=0.01, longest=0.05, again=0.05, stopping=0.3)

WEB, TWO = "web (no task)", "two (no task)"


@pytest.fixture
def swarm():
    with FakeSwarm() as fake:
        fake.add_node(1, "n1", "127.0.0.1")
        fake.add_node(2, "n2", "10.77.0.3")
        yield fake


@pytest.fixture
def sink():
    return FakeSink()


async def polled(condition):
    await asyncio.to_thread(until, condition, 5.0, "it was not polled")


def provider(*swarms, timing=FAST, aliases=()):
    return SwarmProvider([each.host for each in swarms], Sightings("swarm"), timing=timing, aliases=aliases)


async def test_tasks_are_listed_with_names_addresses_and_ports(swarm, sink):
    swarm.images["nginx:latest"] = {"Config": {"ExposedPorts": {"80/tcp": {}}, "Labels": None}}
    web = swarm.add_service(1, "shop_web", labels={"com.docker.stack.namespace": "shop", "haystack.weight": "7"})
    swarm.add_task(1, web, node=ident("node", 2))
    async with running(provider(swarm), sink):
        await sink.until(lambda: sink.names)
    (found,) = sink.listings[-1].containers
    assert found.name == f"shop_web.1.{ident('task', 1)}"
    assert found.services == ("shop-web.nginx", "web.shop")
    assert (found.address, found.network, [p.number for p in found.ports]) == ("10.0.1.5", "shop", [80])
    assert (found.options.weight, found.state, found.engine) == (7, "running", ident("node", 2))
    assert "SECRET" not in repr(sink.listings)


async def test_a_poll_that_shows_nothing_new_tells_nothing(swarm, sink):
    swarm.add_task(1, swarm.add_service(1, "web", ports=[{"TargetPort": 80}]))
    async with running(provider(swarm), sink):
        await sink.until(lambda: sink.names)
        polls = swarm.asked["/tasks"]
        await polled(lambda: swarm.asked["/tasks"] > polls + 2)
    assert len(sink.listings) == 1


async def test_a_task_whose_state_is_reported_anew_is_the_same_still(swarm, sink):
    """As all are when another manager leads: one that begins anew would have to show itself first."""
    web = swarm.add_service(1, "web")
    swarm.add_task(1, web)
    async with running(provider(swarm), sink):
        await sink.until(lambda: sink.names)
        (before,) = sink.listings[-1].containers
        swarm.add_task(1, web, status={"Timestamp": rfc3339(1_700_000_099)}, address="10.0.1.9/24")
        await sink.until(lambda: {c.address for c in sink.listings[-1].containers} == {"10.0.1.9"})
        swarm.tasks.clear()
        swarm.add_task(2, web, status={"Timestamp": rfc3339(1_700_000_200)})
        await sink.until(lambda: {c.id for c in sink.listings[-1].containers} == {container_id(2)})
    assert {listing.containers[0].since for listing in sink.listings if listing.containers[0].id == before.id} == {before.since}
    assert sink.listings[-1].containers[0].since == 1_700_000_200


async def test_an_event_of_a_service_has_it_poll_at_once(swarm, sink):
    async with running(provider(swarm, timing=BY_EVENTS), sink):
        await sink.until(lambda: sink.listings)
        swarm.add_task(1, swarm.add_service(1, "web"))
        swarm.emit("update", ident("service", 1), kind="service")
        await sink.until(lambda: sink.names and "web" in next(iter(sink.names)), timeout=5)


async def test_an_event_of_a_node_has_it_poll_at_once(swarm, sink):
    swarm.add_task(1, swarm.add_service(1, "web"), node=ident("node", 2))
    async with running(provider(swarm, timing=BY_EVENTS), sink):
        await sink.until(lambda: sink.names)
        swarm.add_node(2, "n2", "10.77.0.3", state="down")
        swarm.emit("update", ident("node", 2), kind="node")
        await sink.until(lambda: sink.names == {WEB}, timeout=5)


async def test_it_polls_again_and_again_while_an_update_runs(swarm, sink):
    web = swarm.add_service(1, "web", UpdateStatus={"State": "updating"})
    swarm.add_task(1, web)
    async with running(provider(swarm, timing=BY_EVENTS), sink):
        await sink.until(lambda: sink.names)
        swarm.add_task(1, web, address="10.0.1.9/24")  # of which no event tells
        await sink.until(lambda: {c.address for c in sink.listings[-1].containers} == {"10.0.1.9"}, timeout=5)


async def test_jobs_are_left_out_of_services(swarm, sink):
    job = swarm.add_service(1, "job", mode={"ReplicatedJob": {"MaxConcurrent": 1}})
    swarm.add_task(1, job)
    swarm.add_task(2, swarm.add_service(2, "all", mode={"Global": {}}), slot=0)
    async with running(provider(swarm), sink):
        await sink.until(lambda: sink.names and len(sink.names) == 2)
    found = {c.name.partition(".")[0]: c for c in sink.listings[-1].containers}
    assert found["job"].services == ()
    assert found["all"].services == ("all.nginx",)
    assert found["all"].name == f"all.{ident('node', 1)}.{ident('task', 2)}"


async def test_a_service_without_tasks_is_known_and_says_why(swarm, sink):
    swarm.add_service(1, "web", replicas=0, ports=[{"TargetPort": 80, "Protocol": "tcp"}])
    two = swarm.add_service(2, "two", ports=[{"TargetPort": 80, "Protocol": "tcp"}])
    swarm.add_task(2, two, state="preparing")
    async with running(provider(swarm), sink):
        await sink.until(lambda: sink.names == {WEB, TWO})
        web, coming = sink.container(WEB), sink.container(TWO)
        assert (web.state, web.state_reason, web.services) == ("absent", "scaled to zero", ("web.nginx",))
        assert (coming.state, coming.state_reason) == ("awaited", "its task is preparing")
        swarm.add_task(2, two)
        await sink.until(lambda: sink.names and any(name.startswith("two.1.") for name in sink.names))
        assert sink.container(TWO) is None


async def test_a_task_that_is_to_end_drains_until_it_has(swarm, sink):
    web = swarm.add_service(1, "web")
    swarm.add_task(1, web)
    async with running(provider(swarm), sink):
        await sink.until(lambda: sink.names and len(sink.names) == 1)
        swarm.add_task(1, web, desired="shutdown")
        await sink.until(lambda: any(c.state == "stopping" for c in sink.listings[-1].containers))
        swarm.add_task(1, web, desired="shutdown", state="shutdown")
        await sink.until(lambda: sink.names == {WEB})  # what stands for the service


async def test_a_task_that_never_ends_is_let_go(swarm, sink):
    web = swarm.add_service(1, "web")
    swarm.add_task(1, web)
    async with running(provider(swarm), sink):
        await sink.until(lambda: sink.names and len(sink.names) == 1)
        swarm.add_task(1, web, desired="shutdown")
        await sink.until(lambda: sink.names == {WEB})


async def test_tasks_of_a_node_that_is_down_are_out(swarm, sink):
    web = swarm.add_service(1, "web")
    swarm.add_task(1, web, node=ident("node", 2))
    async with running(provider(swarm), sink):
        await sink.until(lambda: sink.names)
        swarm.add_node(2, "n2", "10.77.0.3", state="down")
        swarm.emit("update", ident("node", 2), kind="node")
        await sink.until(lambda: sink.names == {WEB})


async def test_a_task_whose_node_was_down_for_a_while_has_not_ended(swarm, sink):
    swarm.add_task(1, swarm.add_service(1, "web"), node=ident("node", 2))
    sightings = Sightings("swarm")
    async with running(SwarmProvider([swarm.host], sightings, timing=FAST), sink):
        for state, ended in (("ready", set()), ("down", {container_id(1)}), ("ready", set())):
            swarm.add_node(2, "n2", "10.77.0.3", state=state)
            swarm.emit("update", ident("node", 2), kind="node")
            await sink.until(lambda down=state == "down": sink.names and (sink.names == {WEB}) is down)
            assert sightings.picture.ended == ended


async def test_all_tasks_that_end_at_once_are_told_and_of_older_ones_the_last(swarm, sink, monkeypatch):
    monkeypatch.setattr("haystack.discovery.swarm.members.ENDED", 2)
    web = swarm.add_service(1, "web", replicas=5)
    for number in range(1, 6):
        swarm.add_task(number, web, slot=number, node=ident("node", 1 if number == 1 else 2))
    sightings = Sightings("swarm")
    async with running(SwarmProvider([swarm.host], sightings, timing=FAST), sink):
        await sink.until(lambda: len(sink.names or ()) == 5)
        for node, left in ((2, {f"web.1.{ident('task', 1)}"}), (1, {WEB})):
            told = sightings.picture.ended
            swarm.add_node(node, f"n{node}", "127.0.0.1", state="down")
            swarm.emit("update", ident("node", node), kind="node")
            await sink.until(lambda names=left: sink.names == names)
            assert len(sightings.picture.ended) == (4 if node == 2 else 2)
        assert len(told & sightings.picture.ended) == 1
        assert container_id(1) in sightings.picture.ended


@pytest.mark.parametrize(("address", "place"), [("10.77.0.3", "10.77.0.3"), ("2001:db8::3", "[2001:db8::3]")])
async def test_where_a_task_is_published(swarm, sink, address, place):
    swarm.add_node(2, "n2", address)
    ingress = {"Protocol": "tcp", "TargetPort": 80, "PublishedPort": 8080, "PublishMode": "ingress"}
    host = {"Protocol": "tcp", "TargetPort": 80, "PublishedPort": 32768, "PublishMode": "host"}
    swarm.add_task(1, swarm.add_service(1, "mesh", ports=[ingress]), node=ident("node", 2))
    swarm.add_task(2, swarm.add_service(2, "own", ports=[host]), node=ident("node", 2), ports=[host])
    async with running(provider(swarm), sink):
        await sink.until(lambda: sink.names and len(sink.names) == 2)
    found = {c.name.partition(".")[0]: c for c in sink.listings[-1].containers}
    assert [(p.port, p.place) for p in found["mesh"].published] == [(80, f"{place}:8080")]
    assert [(p.port, p.place) for p in found["own"].published] == [(80, f"{place}:32768")]
    assert "shop" in found["mesh"].obstacle.told  # Haystack is on no network of it


async def test_another_manager_goes_on_where_one_is_lost(swarm, sink):
    swarm.add_task(1, swarm.add_service(1, "web"))
    with FakeSwarm("nodetwo").same_as(swarm) as other:
        async with running(provider(swarm, other), sink):
            await sink.until(lambda: sink.names)
            swarm.down()
            await polled(lambda: other.asked["/tasks"] > 0)
            other.add_task(2, ident("service", 1), slot=2, node=swarm.at)
            other.emit("update", ident("service", 1), kind="service")
            await sink.until(lambda: sink.names and len(sink.names) == 2)
    assert sink.errors == []


async def test_what_was_known_stays_while_no_manager_answers(swarm, sink):
    swarm.add_task(1, swarm.add_service(1, "web"))
    async with running(provider(swarm), sink):
        await sink.until(lambda: sink.names)
        swarm.down()
        await sink.until(lambda: sink.errors)
        assert sink.withdrawn == []
        listings = len(sink.listings)
        swarm.up()
        polls = swarm.asked["/tasks"]
        await polled(lambda: swarm.asked["/tasks"] > polls)
        swarm.add_task(2, ident("service", 1), slot=2)
        swarm.emit("update", ident("service", 1), kind="service")
        await sink.until(lambda: len(sink.names) == 2)
        assert len(sink.listings) > listings


@pytest.mark.parametrize(("state", "manager"), [("inactive", False), ("active", False)])
async def test_without_a_manager_there_is_nothing(sink, state, manager):
    with FakeSwarm(manager=manager) as fake:
        fake.info["Swarm"]["LocalNodeState"] = state
        async with running(provider(fake), sink):
            await sink.until(lambda: sink.withdrawn)
            assert sink.listings == []
            fake.info["Swarm"] |= {"LocalNodeState": "active", "ControlAvailable": True}  # docker swarm init, or promote
            await sink.until(lambda: sink.listings)


async def test_a_socket_proxy_that_lets_nothing_of_it_through_is_told_of(swarm, sink):
    swarm.refused = {"/services"}
    swarm.status = 403
    with capture_logs() as logs:
        async with running(provider(swarm), sink):
            await sink.until(lambda: sink.withdrawn)
    (told,) = [each for each in logs if each["event"] == "swarm.refused"]
    assert "HAYSTACK_SWARM=off" in told["hint"]
    assert {"SERVICES=1", "NODES=1", "TASKS=1", "NETWORKS=1"} <= set(re.findall(r"\w+=1", told["hint"]))  # the proxy's switches


async def test_a_socket_proxy_that_goes_on_refusing_is_told_of_once_until_it_tells(swarm, sink):
    timing = Timing(rest=0.1, busy=0.05, gap=0.01, stirred=0.2, answer=2.0, seek=0.02, seldom=0.02, again=0.02, remind=0.0)
    swarm.refused, swarm.status = {"/services"}, 403
    with capture_logs() as logs:
        told = lambda: [each["event"] for each in logs].count("swarm.refused")  # noqa: E731 - a name for what is counted twice
        async with running(provider(swarm, timing=timing), sink):
            await sink.until(lambda: len(sink.withdrawn) > 3)
            assert told() == 1
            swarm.refused = set()
            await sink.until(lambda: sink.listings)
            swarm.refused = {"/services"}
            swarm.cut()
            await sink.until(lambda: told() == 2)


async def test_a_swarm_outlives_a_proxy_that_refuses_beside_a_manager_that_is_away(swarm, sink):
    swarm.add_task(1, swarm.add_service(1, "web"))
    with FakeSwarm("nodetwo").same_as(swarm) as other:
        other.refused, other.status = {"/services"}, 403
        with capture_logs() as logs:
            async with running(provider(other, swarm), sink):
                await sink.until(lambda: sink.names)
                withdrawn = len(sink.withdrawn)
                swarm.down()
                await sink.until(lambda: len(sink.errors) > 3)
                swarm.up()
                polls = swarm.asked["/tasks"]
                await polled(lambda: swarm.asked["/tasks"] > polls)
        assert len(sink.withdrawn) == withdrawn
    assert [each["event"] for each in logs].count("swarm.refused") == 1


async def test_a_container_is_listed_once_and_its_engine_knows_best(swarm, sink):
    """The engine of node 1 is watched, that of node 2 is not."""
    swarm.images["nginx:latest"] = {"Config": {"ExposedPorts": {"80/tcp": {}}}}
    web = swarm.add_service(1, "web", labels={"haystack.weight": "7"}, replicas=2)
    swarm.add_task(2, web, slot=2, node=ident("node", 2), address="10.0.1.6/24")
    raw = watched_task(swarm, 1, web)
    sightings = Sightings("swarm")
    engine = Sighted(DockerProvider(swarm.host, timing=ENGINE), sightings)
    seen = {}

    class Both(FakeSink):
        def replace(self, source, listing):
            seen[source] = {c.id: c for c in listing.containers}
            super().replace(source, listing)

    sink = Both()
    host = engine.source

    def is_out(identity):
        return not any(identity in each for each in seen.values())

    async with running(engine, sink), running(SwarmProvider([swarm.host], sightings, timing=FAST), sink):
        await sink.until(lambda: set(seen.get(host, ())) == {container_id(1)} and set(seen.get("swarm", ())) == {container_id(2)})
        await sink.until(lambda: seen[host][container_id(1)].options.weight == 7)
        assert seen[host][container_id(1)].services == ("web.nginx",)
        swarm.emit("kill", raw["Id"], signal="15")
        await sink.until(lambda: seen[host][container_id(1)].state == "stopping")
        swarm.remove(raw["Id"])  # the manager says that it runs, still
        await sink.until(lambda: is_out(container_id(1)))
        polls = swarm.asked["/tasks"]
        await polled(lambda: swarm.asked["/tasks"] > polls + 1)
        assert is_out(container_id(1))


async def test_a_task_that_turns_unhealthy_is_out_at_once_where_its_engine_is_watched(swarm):
    """Managers say that it runs, still."""
    web = swarm.add_service(1, "web", replicas=2)
    raws = [
        watched_task(swarm, number, web, State={"Status": "running", "Running": True, "Health": {"Status": "healthy"}}) for number in (1, 2)
    ]
    registry, sightings, news = Registry("haystack"), Sightings("swarm"), asyncio.Event()
    registry.subscribe(lambda _: news.set())
    engine = Sighted(DockerProvider(swarm.host, timing=ENGINE), sightings)

    def ready():
        found = registry.snapshot.services.get("web.nginx.services.haystack")
        return {endpoint.container for endpoint in found.endpoints if endpoint.ready} if found is not None else set()

    async def until_ready(*wanted):
        async with asyncio.timeout(5):
            while ready() != {raws[number]["Id"] for number in wanted}:
                news.clear()
                await news.wait()

    async with running(engine, registry), running(SwarmProvider([swarm.host], sightings, timing=BY_EVENTS), registry):
        await until_ready(0, 1)
        raws[0]["State"]["Health"]["Status"] = "unhealthy"
        swarm.emit("health_status: unhealthy", raws[0]["Id"])
        await until_ready(1)
        raws[0]["State"]["Health"]["Status"] = "healthy"
        swarm.emit("health_status: healthy", raws[0]["Id"])
        await until_ready(0, 1)


def watched_task(swarm, number, service, **more):
    """A task on the fake's own node, as its engine has it, too."""
    name = f"web.{number}.{ident('task', number)}"
    swarm.add_task(number, service, slot=number, address=f"10.0.1.{number}/24")
    labels = {"com.docker.swarm.service.name": "web", "com.docker.swarm.node.id": swarm.at}
    raw = inspected(number, name, Config={"Image": "nginx:latest", "Labels": labels, "ExposedPorts": {"80/tcp": {}}}, **more)
    raw["NetworkSettings"]["Networks"] = {"shop": {"NetworkID": OVERLAY, "IPAddress": f"10.0.1.{number}"}}
    assert raw["Id"] == container_id(number)
    swarm.add(raw, event=False)
    return raw


async def test_json_of_a_poll_keeps_no_environment(swarm, sink):
    swarm.add_task(1, swarm.add_service(1, "web"))
    async with running(provider(swarm), sink):
        await sink.until(lambda: sink.names)
    assert "hunter2" in json.dumps(list(swarm.services.values()))
    assert "hunter2" not in repr(sink.listings)


async def test_variables_of_nginx_proxy_are_read_of_tasks_where_they_are_asked_for(swarm, sink):
    swarm.images["nginx:latest"] = {"Config": {"Env": ["VIRTUAL_PORT=3000", "VIRTUAL_HOST=image.example"]}}
    swarm.add_task(1, swarm.add_service(1, "web", env=["VIRTUAL_HOST=a.example", "CERT_NAME=hunter2"]), node=ident("node", 2))
    async with running(provider(swarm, aliases=("nginx-proxy",)), sink):
        await sink.until(lambda: sink.names)
        (found,) = sink.listings[-1].containers
        assert (found.options.hosts, found.options.port, found.options.labelled) == (("a.example",), 3000, True)
        assert [problem.subject for problem in found.problems] == ["variable CERT_NAME"]
        swarm.add_service(1, "web", env=["VIRTUAL_HOST=b.example"])
        swarm.add_task(1, ident("service", 1), node=ident("node", 2))
        await sink.until(lambda: {c.options.hosts for c in sink.listings[-1].containers} == {("b.example",)})
    assert "hunter2" not in repr(sink.listings)


@pytest.mark.parametrize("aliases", [(), ("traefik",)])
async def test_otherwise_no_variable_is_read(swarm, sink, aliases):
    swarm.add_task(1, swarm.add_service(1, "web", env=["VIRTUAL_HOST=a.example"]))
    async with running(provider(swarm, aliases=aliases), sink):
        await sink.until(lambda: sink.names)
        assert "a.example" not in repr(sink.listings)


@pytest.mark.parametrize("place", ["labels", "container"])
async def test_labels_of_traefik_count_of_services_as_of_containers(swarm, sink, place):
    rule = {"traefik.http.routers.shop.rule": "Host(`shop.example`)", "traefik.http.services.shop.loadbalancer.server.port": "3000"}
    swarm.add_task(1, swarm.add_service(1, "web", **{place: rule}))
    async with running(provider(swarm, aliases=("traefik",)), sink):
        await sink.until(lambda: sink.names)
        (found,) = sink.listings[-1].containers
    assert (found.options.hosts, found.options.port, [p.number for p in found.ports]) == (("shop.example",), 3000, [3000])


async def test_where_there_is_no_swarm_it_looks_seldom_or_when_an_engine_says_that_there_is(sink):
    with FakeSwarm(manager=False) as fake:
        fake.info["Swarm"]["LocalNodeState"] = "inactive"
        sightings = Sightings("swarm")
        made = SwarmProvider([fake.host], sightings, timing=Timing(seek=600.0, again=0.01))
        async with running(made, sink):
            await sink.until(lambda: sink.withdrawn)
            fake.info["Swarm"] |= {"LocalNodeState": "active", "ControlAvailable": True}
            sightings.replace("engine", Listing(engine=Engine(id="E", name="e", host="tcp://e", node="n1")))
            await sink.until(lambda: len(sink.listings) > 1)


def test_the_pauses_where_there_is_no_swarm_grow():
    search = Search([], TlsOptions(), Timing(seek=15.0, seldom=100.0), ())
    assert [search._seldom() for _ in range(5)] == [15.0, 30.0, 60.0, 100.0, 100.0]

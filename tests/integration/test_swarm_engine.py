"""A Swarm of three real engines, each a host of its own, under every change that there is: GETs go on where an endpoint is left.

Haystack runs in the network of a container on an overlay network, where its clients are, too. It watches the engines of two nodes, and
knows the third from managers alone. This needs engines as hosts (tests/fakes/nodes.py); where none can be made, all of it is skipped.
"""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

import dns.message
import dns.query
import pytest

from tests.fakes.nodes import NGINX, Node
from tests.fakes.socket_proxy import SocketProxy, listed
from tests.fakes.within import LoadWithin, api, get, within
from tests.fakes.worker import STARTED, command, until

SHOP = "shop.nginx.services.haystack"
PATIENCE = 60.0
README = (Path(__file__).resolve().parents[2] / "README.md").read_text()


class Running:
    """A Haystack in the network namespace of a process. log: its lines so far."""

    def __init__(self, pid: int, **settings: str) -> None:
        self.pid = pid
        self._folder = tempfile.TemporaryDirectory(prefix="haystack-swarm-")
        self._log = Path(self._folder.name) / "log"
        own = {"HAYSTACK_STATE_DIR": self._folder.name, "HAYSTACK_WORKERS": "1", "HAYSTACK_LOG_FORMAT": "json", "PATH": "/usr/bin:/bin"}
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                ["nsenter", f"--net=/proc/{pid}/ns/net", "--", *command()], env=own | settings, stdout=log, stderr=log
            )
        STARTED.append(self.process)
        until(lambda: "ready" in self.events or self.process.poll() is not None, PATIENCE, "it does not start")
        assert self.process.poll() is None, self.text

    @property
    def text(self) -> str:
        return self._log.read_text(errors="replace")

    @property
    def lines(self) -> list[dict[str, str]]:
        return [json.loads(line) for line in self.text.splitlines() if line.startswith("{")]

    @property
    def events(self) -> list[str]:
        return [line["event"] for line in self.lines]

    def endpoints(self, service: str = SHOP) -> list[dict[str, object]]:
        return [row for row in api(self.pid, "/api/services") if row["name"] == service]

    def ready(self, service: str = SHOP) -> int:
        return sum(bool(row["ready"]) for row in self.endpoints(service))

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(20)
        self._folder.cleanup()


@pytest.fixture(scope="module")
def stand(nodes):
    """The process of a container on the overlay network, on the first node."""
    nodes[0].docker("run", "--detach", "--name", "stand", "--network", "web", "busybox", "sleep", "100000")
    return int(nodes[0].docker("inspect", "--format", "{{.State.Pid}}", "stand"))


@pytest.fixture(scope="module")
def haystack(nodes, stand):
    made = Running(stand, DOCKER_HOST=f"{nodes[1].host},{nodes[0].host}")
    yield made
    made.close()


def create(node: Node, name: str, *options: str, image: str = NGINX) -> None:
    node.docker("service", "create", "--detach", "--no-resolve-image", "--name", name, *options, image)


@pytest.fixture(scope="module")
def shop(nodes, haystack):
    """Four tasks on the overlay network, two of them at least on nodes that are watched."""
    create(nodes[0], "shop", "--network", "web", "--replicas", "4")
    until(lambda: haystack.ready() == 4, PATIENCE, "not all of the tasks are in")
    return get(haystack.pid, SHOP).body


@pytest.fixture
def load(haystack, shop):
    """Clients that never stop asking; at the end, none of them has seen anything wrong."""
    made = LoadWithin(haystack.pid).http(80, SHOP, shop, keep=2, new=2)
    with made:
        made.go_on()
        yield made
        made.go_on()
    assert made.wrong == []
    assert sum(made.done.values()) > 20


def place_of(nodes: list[Node], name: str) -> list[str]:
    """The names of the nodes on which tasks of a service run."""
    told = nodes[0].docker("service", "ps", "--filter", "desired-state=running", "--format", "{{.Node}} {{.CurrentState}}", name)
    return [line.split()[0] for line in told.splitlines() if " Running" in line]


def test_tasks_of_all_nodes_are_found_and_each_once(nodes, haystack, shop):
    found = haystack.endpoints()
    assert len({row["target"] for row in found}) == len(found) == 4
    assert all(re.match(r"10\.0\.\d+\.\d+$", str(row["address"])) for row in found)
    assert len(set(place_of(nodes, "shop"))) == 3
    assert not [line for line in haystack.lines if "listed once" in line.get("message", "")]


def test_nobody_fails_during_a_rolling_update(nodes, haystack, load):
    before = {row["target"] for row in haystack.endpoints()}
    nodes[0].docker("service", "update", "--detach", "--no-resolve-image", "--force", "--update-parallelism", "2", "shop")

    def done() -> bool:
        rows = haystack.endpoints()
        return len(rows) == 4 and all(row["ready"] for row in rows) and not before & {row["target"] for row in rows}

    until(done, PATIENCE, "the update does not end")


def test_nobody_fails_during_an_update_that_is_rolled_back(nodes, haystack, load):
    options = ["--update-failure-action", "rollback", "--update-monitor", "2s", "--update-parallelism", "1", "--update-delay", "0s"]
    nodes[0].docker("service", "update", "--detach", "--no-resolve-image", *options, "--args", "false", "shop")

    def state() -> str:
        return nodes[0].docker("service", "inspect", "--format", "{{if .UpdateStatus}}{{.UpdateStatus.State}}{{end}}", "shop")

    until(lambda: state() == "rollback_completed", PATIENCE, "it is not rolled back")
    until(lambda: haystack.ready() == 4, PATIENCE, "not all of the tasks are in again")


def test_labels_of_the_service_count_at_once(nodes, haystack, shop):
    tasks = {row["target"] for row in haystack.endpoints()}
    nodes[0].docker("service", "update", "--detach", "--no-resolve-image", "--label-add", "haystack.host=shop.example", "shop")
    until(lambda: get(haystack.pid, "shop.example").status == 200, 15, "its host is not there")
    assert {row["target"] for row in haystack.endpoints()} == tasks
    assert len({row["container"] for row in haystack.endpoints()}) == 4


def test_a_service_that_is_scaled_to_zero_stays_known_and_requests_wait_for_its_return(nodes, haystack, shop):
    nodes[0].docker("service", "scale", "--detach", "shop=0")
    until(lambda: not any(row["ready"] for row in haystack.endpoints()), PATIENCE, "its tasks are in, still")
    # told to start again while the request waits
    with LoadWithin(haystack.pid).http(80, SHOP, shop, keep=0, new=2) as waiting:
        nodes[0].docker("service", "scale", "--detach", "shop=4")
        waiting.go_on(3)
    assert waiting.wrong == []
    until(lambda: haystack.ready() == 4, PATIENCE, "not all of the tasks are in again")


def test_what_is_scaled_to_zero_for_long_is_answered_503(nodes, haystack):
    create(nodes[0], "none", "--network", "web", "--replicas", "0", "--label", "haystack.wait=off", "--label", "haystack.port=80")
    none = "none.nginx.services.haystack"
    until(lambda: get(haystack.pid, none).status == 503, 15, "it is not known")
    answer = get(haystack.pid, none)
    assert answer.get("retry-after")
    assert "scaled to zero" in (answer.get("proxy-status") or "")
    nodes[0].docker("service", "rm", "none")
    until(lambda: not haystack.endpoints(none), 15, "it is known, still")


def test_nobody_fails_while_a_node_is_drained(nodes, haystack, load):
    nodes[0].docker("node", "update", "--availability", "drain", nodes[2].name)
    until(lambda: nodes[2].name not in place_of(nodes, "shop") and haystack.ready() == 4, PATIENCE, "its tasks do not move")
    nodes[0].docker("node", "update", "--availability", "active", nodes[2].name)


def test_a_network_that_is_shared_late(nodes, haystack):
    nodes[0].docker("network", "create", "--driver", "overlay", "--attachable", "late")
    create(nodes[0], "late", "--network", "late", "--constraint", f"node.hostname=={nodes[2].name}")
    late = "late.nginx.services.haystack"
    until(lambda: any("unreachable" in row and row["unreachable"] for row in haystack.endpoints(late)), PATIENCE, "nothing is said")
    assert "no address on its network late" in str(haystack.endpoints(late)[0]["reason"])
    nodes[0].docker("network", "connect", "late", "stand")
    until(lambda: haystack.ready(late) == 1, PATIENCE, lambda: str(haystack.endpoints(late)))
    assert get(haystack.pid, late).status == 200
    nodes[0].docker("network", "disconnect", "--force", "late", "stand")
    nodes[0].docker("service", "rm", "late")


def test_a_port_of_the_task_s_own_node_where_no_network_is_shared(nodes, haystack):
    for number, node in ((9001, nodes[1]), (9002, nodes[2])):
        create(
            nodes[0], f"own{number}", "--publish", f"mode=host,published={number},target=80", "--constraint", f"node.hostname=={node.name}"
        )
        own = f"own{number}.nginx.services.haystack"
        until(lambda own=own: haystack.ready(own) == 1, PATIENCE, f"{own} is not in")
        (row,) = haystack.endpoints(own)
        assert (row["address"], row["port"]) == (node.address, number)
        assert get(haystack.pid, own).status == 200
        nodes[0].docker("service", "rm", f"own{number}")


def test_global_and_dnsrr_services_and_stacks(nodes, haystack):
    create(nodes[0], "everywhere", "--mode", "global", "--network", "web")
    create(nodes[0], "plain", "--endpoint-mode", "dnsrr", "--network", "web")
    stack = ["--label", "com.docker.stack.namespace=my", "--container-label", "com.docker.stack.namespace=my"]
    create(nodes[0], "my_front", *stack, "--network", "web")
    counts = {"everywhere.nginx": 3, "plain.nginx": 1, "front.my": 1, "my-front.nginx": 1}
    for name, count in counts.items():
        whole = f"{name}.services.haystack"
        until(lambda whole=whole, count=count: haystack.ready(whole) == count, PATIENCE, f"{whole} has not {count}")
        assert get(haystack.pid, whole).status == 200
    nodes[0].docker("service", "rm", "everywhere", "plain", "my_front")


def test_jobs_serve_nobody(nodes, haystack):
    create(nodes[0], "job", "--mode", "replicated-job", "--network", "web")
    until(lambda: " Running" in nodes[0].docker("service", "ps", "--format", "- {{.CurrentState}}", "job"), PATIENCE, "it does not run")
    assert haystack.endpoints("job.nginx.services.haystack") == []
    nodes[0].docker("service", "rm", "job")


def followed(haystack: Running) -> str:
    """The manager that is polled."""
    return [line["manager"] for line in haystack.lines if line["event"] == "swarm.followed"][-1]


def test_nobody_fails_when_the_manager_that_is_polled_is_lost(nodes, haystack, shop):
    other, lost = nodes[:2]
    label = ["service", "update", "--detach", "--no-resolve-image", "--label-add", "haystack.host=late.example", "shop"]
    assert followed(haystack) == lost.host
    try:
        with LoadWithin(haystack.pid).http(80, SHOP, shop, keep=2, new=2) as load:
            load.go_on()
            lost.kill()
            until(lambda: followed(haystack) == other.host, PATIENCE, lambda: haystack.text[-3000:])
            until(
                lambda: other.docker(*label, check=False) and get(haystack.pid, "late.example").status == 200, PATIENCE, "it tells nothing"
            )
            load.go_on()
        assert load.wrong == []
    finally:
        lost.start()  # which ends all of its containers at once, and nobody is told
        lost.answers()
    until(lambda: haystack.ready() == 4, PATIENCE, "not all of the tasks are in again")


def test_nobody_fails_when_another_manager_leads(nodes, haystack):
    """Which has the states of all tasks reported anew, with another time; on the third node, nobody but managers tells of them."""
    only = ["--constraint", f"node.hostname=={nodes[2].name}", "--label", "haystack.wait=off"]
    create(nodes[0], "led", "--network", "web", *only)
    led = "led.nginx.services.haystack"
    until(lambda: haystack.ready(led) == 1, PATIENCE, lambda: str(haystack.endpoints(led)))
    before = stamp(nodes[1], "led"), since(haystack, "led")
    with LoadWithin(haystack.pid).http(80, led, get(haystack.pid, led).body, keep=1, new=1) as load:
        load.go_on()
        nodes[1].docker("node", "demote", nodes[0].name)
        try:
            until(lambda: stamp(nodes[1], "led") != before[0], PATIENCE, "nothing is reported anew")
            nodes[1].docker("service", "update", "--detach", "--no-resolve-image", "--label-add", "haystack.host=led.example", "led")
            until(lambda: get(haystack.pid, "led.example").status == 200, 15, "it was not polled")
            load.go_on()
        finally:
            nodes[1].docker("node", "promote", nodes[0].name)
    assert load.wrong == []
    assert since(haystack, "led") == before[1]
    until(lambda: nodes[0].docker("service", "rm", "led", check=False), PATIENCE, "it is no manager again")


def stamp(node: Node, service: str) -> str:
    """The time of the state of its only task, by a manager."""
    (task,) = node.docker("service", "ps", "--quiet", "--filter", "desired-state=running", service).split()
    return node.docker("inspect", "--format", "{{.Status.Timestamp}}", task)


def since(haystack: Running, service: str) -> object:
    """Since when its only container runs."""
    (found,) = (row["since"] for row in api(haystack.pid, "/api/containers").values() if row["name"].startswith(f"{service}.1."))
    return found


def test_nobody_fails_when_a_node_is_lost_and_its_tasks_are_out_at_once(nodes, haystack, load):
    nodes[0].docker("service", "scale", "--detach", "shop=6")
    until(lambda: haystack.ready() == 6 and nodes[2].name in place_of(nodes, "shop"), PATIENCE, "no task runs there")
    load.go_on()
    nodes[2].unplug()
    gone = time.time()
    try:
        until(lambda: any("does not answer" in str(row["reason"]) and not row["ready"] for row in haystack.endpoints()), 15, "they are in")
        told = [line for line in haystack.lines if line["event"] == "swarm.node_silent"][-1]
        load.go_on()
    finally:
        nodes[2].plug()
    until(lambda: "swarm.node_back" in haystack.events, PATIENCE, "it is not back")
    until(lambda: haystack.ready() == 6, PATIENCE, "not all of the tasks are in again")
    nodes[0].docker("service", "scale", "--detach", "shop=4")
    until(lambda: haystack.ready() == 4, PATIENCE, "there are more")
    assert datetime.fromisoformat(told["timestamp"]).timestamp() - gone < 4.0  # 1.5 s at worst; the rest is a busy machine's


def test_the_readme_s_socket_proxy_tells_of_the_swarm_with_the_switches_that_are_named_there(nodes, shop):
    switches = {name.lower() for name in re.findall(r"-e ([A-Z]+)=1\b", README)}
    always = {"events", "version", "_ping"}  # which that proxy lets through unless told otherwise
    gateway = f"{nodes[0].address.rpartition('.')[0]}.1"
    with (
        place(nodes[0], "behind") as (pid, _),
        SocketProxy(nodes[0].host, switches | always, gateway) as proxy,
        closing(Running(pid, DOCKER_HOST=proxy.host)) as behind,
    ):
        until(lambda: behind.ready() == 4, PATIENCE, lambda: f"{proxy.refused} {behind.text[-2000:]}")
        asked, refused = list(proxy.asked), proxy.refused
    assert refused == []
    allowed = listed() | listed("manager of a Swarm")
    assert sorted({path for _, path, _ in asked if not any(re.fullmatch(p, path) for p in allowed)}) == []


def test_each_haystack_answers_with_all_that_live(nodes, shop):
    with place(nodes[0], "one") as (first, mine), place(nodes[1], "other") as (second, its):
        peers = {"HAYSTACK_PEERS": f"{mine},{its}"}
        with (
            closing(Running(first, DOCKER_HOST=nodes[0].host, **peers)) as one,
            closing(Running(second, DOCKER_HOST=nodes[1].host, **peers)) as other,
        ):
            for pid, server in ((first, mine), (second, its)):
                until(
                    lambda pid=pid, server=server: addresses(pid, server) == {mine, its},
                    20,
                    lambda: f"{one.text[-2000:]} {other.text[-2000:]}",
                )


@contextmanager
def place(node: Node, name: str) -> Iterator[tuple[int, str]]:
    """A container on the overlay network, in whose network a Haystack may be: its process, and its address there."""
    node.docker("run", "--detach", "--name", name, "--network", "web", "busybox", "sleep", "100000")
    try:
        address = node.docker("inspect", "--format", "{{.NetworkSettings.Networks.web.IPAddress}}", name)
        yield int(node.docker("inspect", "--format", "{{.State.Pid}}", name)), address
    finally:
        node.docker("rm", "--force", name)


def addresses(pid: int, server: str = "127.0.0.1") -> set[str]:
    query = dns.message.make_query(SHOP, "A")
    answer = within(pid, lambda: dns.query.udp(query, server, timeout=5))
    return {item.address for each in answer.answer for item in each}

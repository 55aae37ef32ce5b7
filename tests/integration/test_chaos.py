"""Nothing is lost when containers come and go: short rounds on a real engine, under load that checks every body.

GETs go to nginx, which drops everything at once on SIGTERM; POSTs to an origin that finishes what it has and writes down
every request that it has read whole. Both at the same time, each to a service of its own; where an endpoint misbehaves, both to
that origin. `make bench-chaos` plays the full rounds, beside other proxies.
"""

import contextlib
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import docker
import pytest

from bench.chaos.fleet import PYTHON, Fleet
from bench.chaos.node import Node, missing
from bench.chaos.rounds import Plan, side_by_side
from bench.chaos.rows import row
from bench.chaos.sealing import Sealing
from bench.macro.process import Haystack

HOST = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
PLAN = Plan(connections=16, pace=0.3, victims=2, pause=0.01, limit=40.0)
# a request may wait for the kernel to send a packet again, and this machine may be busy: the bench has the real figures
SLOWEST = 1000
WAIT = 90.0
METHODS = ("GET", "POST")
# a row begins when every endpoint answers again, whatever the row before has done to them
pytestmark = pytest.mark.timeout(240)


class Stage:
    """Haystack before some services; play(ROW): what became of the GETs and the POSTs meanwhile. sealing: some of these ask within TLS."""

    def __init__(self, client, host, engine=None, sealing=None):
        self.client = client
        self.engine = engine
        self.sealing = sealing
        settings = sealing.settings if sealing else {}
        self.haystack = Haystack(DOCKER_HOST=host, HAYSTACK_WORKERS="2", HAYSTACK_WAIT="30s", **settings)
        self.fleets = {}

    def fleet(self, kind, members, options):
        key = kind, members, str(options)
        if key not in self.fleets:
            self.fleets[key] = Fleet(self.client, kind, f"chaos{os.getpid()}x{len(self.fleets)}", **options)
            self.fleets[key].grow(members)
        return self.fleets[key]

    def play(self, name, plan=PLAN):
        return [done for done, *_ in self.play_each(name, [plan])]

    def play_each(self, name, plans):
        """The same of GETs and of POSTs, by each of these plans at once."""
        wanted = row(name)
        fleets = [self.fleet(wanted.kinds[method], wanted.members, wanted.options) for method in METHODS]
        shared = wanted.alone or wanted.node or fleets[0] is fleets[1]
        acts = together(wanted.act) if shared else (wanted.act, wanted.act)
        with ThreadPoolExecutor() as pool:
            rounds = list(pool.map(lambda *one: side_by_side(self.haystack, *one, plans, self.engine), fleets, METHODS, acts))
        for fleet in {id(fleet): fleet for fleet in fleets}.values():
            fleet.members.append(fleet.members.pop(0))  # who was ejected once is out for longer the next time
        for method, dones in zip(METHODS, rounds, strict=True):
            for plan, done in zip(plans, dones, strict=True):
                sys.stdout.write(f"{name}, {plan.protocol} {method}: slowest {done.slowest:.0f} ms, {done.rate:.0f}/s; {done.story()}\n")
        return rounds

    def close(self):
        for fleet in self.fleets.values():
            fleet.remove()


def together(act, count=2):
    """The act for so many rounds at once, to which it happens only once."""
    begun, over, told = threading.Barrier(count), threading.Event(), []

    def first(scene):
        begun.wait(WAIT)
        try:
            act(scene)
        finally:
            told.extend(scene.told)
            over.set()

    def second(scene):
        begun.wait(WAIT)
        assert over.wait(WAIT)
        scene.told.extend(told)

    return first, *[second] * (count - 1)


@contextlib.contextmanager
def staged(*stage):
    made = Stage(*stage)
    try:
        with made.haystack:
            yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def python(client):
    try:
        client.images.get(PYTHON)
    except docker.errors.ImageNotFound:
        subprocess.run(["docker", "pull", PYTHON], check=True, timeout=300)


@pytest.fixture(scope="module")
def stage(client, images, python):
    with staged(client, HOST) as made:
        yield made


def in_flight(done, victims=PLAN.victims):
    """Whether all that failed had been sent to what was ended, and no more of it than there are connections."""
    told = all(f["kind"] == "status 502" and "a retry is not safe" in f["proxy_status"] for f in done.report["failures"])
    return told and done.failed <= PLAN.connections * victims


def once(done):
    """Whether no request was processed twice, and none answered that nobody processed."""
    return not done.twice and not done.lost


@pytest.mark.parametrize("name", ["stop", "restart", "redeploy"])
def test_containers_that_are_told_to_stop_cost_no_request(stage, name):
    gets, posts = stage.play(name)
    assert gets.failed == 0, gets.story()
    assert gets.slowest < SLOWEST, gets.story()
    assert posts.failed == 0, posts.story()
    assert once(posts), posts.twice + posts.lost


def test_killed_containers_cost_no_get_and_only_the_posts_that_had_reached_them(stage):
    gets, posts = stage.play("kill")
    assert gets.failed == 0, gets.story()
    assert gets.slowest < SLOWEST, gets.story()
    assert in_flight(posts), posts.story()
    assert once(posts), posts.twice + posts.lost


def test_gets_do_not_wait_for_paused_containers_and_no_post_is_sent_to_another_too(stage):
    gets, posts = stage.play("pause")
    assert gets.failed == 0, gets.story()
    assert gets.slowest < SLOWEST, gets.story()
    assert in_flight(posts), posts.story()
    assert once(posts), posts.twice + posts.lost


def test_requests_wait_for_the_only_container_of_a_service_to_restart(stage):
    gets, posts = stage.play("only")
    for done in (gets, posts):
        assert done.failed == 0, done.story()
        (begun, _), (back, _) = done.told
        assert done.slowest < (back - begun) * 1000 + SLOWEST, done.story()
    assert once(posts), posts.twice + posts.lost


SICK = Plan(connections=16, pace=0.3, victims=1, pause=0.01)  # a request that takes 15 s has failed


@pytest.mark.parametrize("name", ["sick", "failing", "silent", "resetting"])
def test_an_endpoint_that_misbehaves_costs_no_get_and_no_post_from_the_second_second_on(stage, name):
    """sick: its HEALTHCHECK says so too; failing: it answers 500; silent: what can't be repeated waits there."""
    gets, posts = stage.play(name, SICK)
    for done in (gets, posts):
        assert len(done.report["who"]) == 4, done.story()
    assert gets.failed == 0, gets.story()
    assert gets.slowest < 1000 + SLOWEST, gets.story()
    if name == "silent":
        assert posts.failed <= SICK.connections, posts.story()
    else:
        assert posts.failed_after(1.0) == [], posts.story()
    assert once(posts), posts.twice + posts.lost


def test_replacing_haystack_costs_no_request(stage):
    for done in stage.play("replace"):
        assert done.failed == 0, done.story()
        assert done.slowest < SLOWEST, done.story()
        assert once(done), done.twice + done.lost


def test_a_killed_worker_costs_what_was_in_flight_on_it_and_nothing_more(stage):
    gets, posts = stage.play("worker")
    for done in (gets, posts):
        assert all(f["kind"].startswith("closed") for f in done.report["failures"]), done.story()
        assert done.failed <= PLAN.connections, done.story()
    assert once(posts), posts.twice + posts.lost


def on_an_engine_of_its_own(client, name):
    """What became of GETs and POSTs by HTTP, by HTTPS and by HTTP/2 within it: the engine is restarted once for all of them."""
    if lacking := missing():
        pytest.skip(f"an engine of its own needs {lacking}")
    with (
        Sealing() as sealing,
        Node(client, ("nginx", PYTHON), live_restore=row(name).live) as node,
        node.inside(),
        staged(node.client, node.host, node, sealing) as stage,
    ):
        within = [replace(PLAN, connections=8, pause=0.02, protocol=way, sealing=sealing) for way in ("https", "h2")]
        return [list(each) for each in zip(*stage.play_each(name, [PLAN, *within]), strict=True)]


@pytest.mark.timeout(300)
def test_an_engine_that_is_restarted_with_its_containers_costs_no_get(client, images, python):
    """Its event stream ends before they do, so nobody tells: they are seen to refuse, and requests wait until they are back."""
    for gets, posts in on_an_engine_of_its_own(client, "engine-plain"):
        (begun, _), *_, (back, _) = gets.told
        assert gets.failed == 0, gets.story()
        assert gets.slowest < (back - begun) * 1000 + SLOWEST, gets.story()
        assert in_flight(posts, 4), posts.story()
        assert once(posts), posts.twice + posts.lost


@pytest.mark.timeout(300)
def test_an_engine_that_is_restarted_with_live_restore_costs_no_request(client, images, python):
    for gets, posts in on_an_engine_of_its_own(client, "engine"):
        for done in (gets, posts):
            assert done.failed == 0, done.story()
            assert done.slowest < SLOWEST, done.story()
        assert once(posts), posts.twice + posts.lost

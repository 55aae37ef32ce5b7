"""Nothing is lost when containers come and go: short rounds on a real engine, under load that checks every body.

GETs go to nginx, which drops everything at once on SIGTERM; POSTs to an origin that finishes what it has and writes down
every request that it has read whole. Both at the same time, each to a service of its own. `make bench-chaos` plays the full
rounds, beside other proxies.
"""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import docker
import pytest

from bench.chaos.fleet import PYTHON, Fleet
from bench.chaos.rounds import Plan, played
from bench.chaos.rows import row
from bench.macro.process import Haystack

HOST = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
PLAN = Plan(connections=16, pace=0.3, victims=2, pause=0.01)
# a request may wait for the kernel to send a packet again, and this machine may be busy: the bench has the real figures
SLOWEST = 1000


class Stage:
    """Haystack before two services; play(ROW): what became of the GETs and the POSTs meanwhile."""

    def __init__(self, client):
        self.client = client
        self.haystack = Haystack(DOCKER_HOST=HOST, HAYSTACK_WORKERS="2")
        self.fleets = {}

    def fleet(self, kind, members):
        if (kind, members) not in self.fleets:
            made = Fleet(self.client, kind, f"chaos{os.getpid()}x{len(self.fleets)}")
            self.fleets[kind, members] = made
            made.grow(members)
        return self.fleets[kind, members]

    def play(self, name, *methods):
        wanted = row(name)
        chosen = [(self.fleet(wanted.kinds[method], wanted.members), method) for method in methods or ("GET", "POST")]
        with ThreadPoolExecutor() as pool:
            rounds = list(pool.map(lambda one: played(self.haystack, *one, wanted.act, PLAN), chosen))
        for (_, method), done in zip(chosen, rounds, strict=True):
            sys.stdout.write(f"{name}, {method}: slowest {done.slowest:.0f} ms, {done.rate:.0f}/s; {done.story()}\n")
        return rounds

    def close(self):
        for fleet in self.fleets.values():
            fleet.remove()


@pytest.fixture(scope="module")
def stage(client, images):
    try:
        client.images.get(PYTHON)
    except docker.errors.ImageNotFound:
        subprocess.run(["docker", "pull", PYTHON], check=True, timeout=300)
    made = Stage(client)
    try:
        with made.haystack:
            yield made
    finally:
        made.close()


def in_flight(done):
    """Whether all that failed had been sent to what was killed, and no more of it than there are connections."""
    told = all(f["kind"] == "status 502" and "can't be sent twice" in f["proxy_status"] for f in done.report["failures"])
    return told and done.failed <= PLAN.connections * PLAN.victims


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


def test_gets_do_not_wait_for_paused_containers(stage):
    (gets,) = stage.play("pause", "GET")
    assert gets.failed == 0, gets.story()
    assert gets.slowest < SLOWEST, gets.story()


def test_requests_wait_for_the_only_container_of_a_service_to_restart(stage):
    gets, posts = stage.play("only")
    for done in (gets, posts):
        assert done.failed == 0, done.story()
        (begun, _), (back, _) = done.told
        assert done.slowest < (back - begun) * 1000 + SLOWEST, done.story()
    assert once(posts), posts.twice + posts.lost


def test_replacing_haystack_costs_no_request(stage):
    for done in (*stage.play("replace", "GET"), *stage.play("replace", "POST")):
        assert done.failed == 0, done.story()
        assert done.slowest < SLOWEST, done.story()
        assert once(done), done.twice + done.lost


def test_a_killed_worker_costs_what_was_in_flight_on_it_and_nothing_more(stage):
    (gets,) = stage.play("worker", "GET")
    (posts,) = stage.play("worker", "POST")
    for done in (gets, posts):
        assert all(f["kind"].startswith("closed") for f in done.report["failures"]), done.story()
        assert done.failed <= PLAN.connections, done.story()
    assert once(posts), posts.twice + posts.lost

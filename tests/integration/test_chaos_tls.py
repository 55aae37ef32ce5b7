"""Nothing is lost over TLS when containers come and go: the rounds of test_chaos.py by HTTP/1.1, by HTTP/2, and by TLS passed through.

All of them ask at the same time. Where TLS is passed through, containers end it, each connection has one request, and what a container has
in hand when it is killed goes with it: a proxy that can't read it can't ask again. Rounds of an engine of its own are in test_chaos.py.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import NamedTuple

import pytest

from bench.chaos.fleet import Fleet
from bench.chaos.rounds import Plan, Round, side_by_side
from bench.chaos.rows import Row, row
from bench.chaos.sealing import Sealing
from bench.macro.process import Haystack
from tests.integration.test_chaos import HOST, SICK, SLOWEST, once, python, together

__all__ = ["python"]

PLAN = Plan(connections=8, pace=0.3, victims=2, pause=0.02, limit=40.0)
ILL = replace(SICK, connections=8, limit=6.0)
WAYS = ("https", "h2")
pytestmark = pytest.mark.timeout(240)


class Cast(NamedTuple):
    """A fleet, what is asked of it, and by which clients."""

    kind: str
    method: str
    ways: tuple[str, ...]


CASTS = (
    Cast("nginx", "GET", WAYS),
    Cast("python", "POST", WAYS),
    Cast("python", "GET", ("passthrough",)),
    Cast("python", "POST", ("passthrough",)),
)


# what one that misbehaves does within TLS that is passed through, nobody sees
READ = (Cast("python", "GET", WAYS), Cast("python", "POST", WAYS))


class Stage:
    """Haystack with certificates before services of all casts."""

    def __init__(self, client) -> None:
        self.client = client
        self.sealing = Sealing()
        self.haystack = Haystack(DOCKER_HOST=HOST, HAYSTACK_WORKERS="2", HAYSTACK_WAIT="30s", **self.sealing.settings)
        self.fleets: dict[tuple[str, bool, int, str], Fleet] = {}

    def fleet(self, kind: str, passed: bool, wanted: Row) -> Fleet:
        key = kind, passed, wanted.members, str(wanted.options)
        if key not in self.fleets:
            sealing = self.sealing if passed else None
            self.fleets[key] = Fleet(self.client, kind, f"sealed{os.getpid()}x{len(self.fleets)}", sealing=sealing, **wanted.options)
            self.fleets[key].grow(wanted.members)
        return self.fleets[key]

    def play(self, name: str, casts: tuple[Cast, ...] = CASTS, plan: Plan = PLAN) -> dict[tuple[str, str], Round]:
        """What became of the load of each (way, method)."""
        wanted = row(name)
        fleets = [self.fleet(cast.kind, "passthrough" in cast.ways, wanted) for cast in casts]
        act = wanted.act
        acts = together(act, len(casts)) if wanted.alone else shared(act, fleets)
        plans = [[replace(plan, protocol=way, sealing=self.sealing) for way in cast.ways] for cast in casts]

        def one(cast: Cast, fleet: Fleet, what, how) -> list[Round]:
            return side_by_side(self.haystack, fleet, cast.method, what, how)

        with ThreadPoolExecutor() as pool:
            found = list(pool.map(one, casts, fleets, acts, plans))
        for fleet in {id(fleet): fleet for fleet in fleets}.values():
            fleet.members.append(fleet.members.pop(0))  # who was ejected once is out for longer the next time
        rounds = {
            (way, cast.method): done for cast, dones in zip(casts, found, strict=True) for way, done in zip(cast.ways, dones, strict=True)
        }
        for (way, method), done in rounds.items():
            sys.stdout.write(f"{name}, {way} {method}: slowest {done.slowest:.0f} ms, {done.rate:.0f}/s; {done.story()}\n")
        return rounds

    def close(self) -> None:
        for fleet in self.fleets.values():
            fleet.remove()
        self.sealing.close()


def shared(act, fleets):
    """The act for each fleet once, whoever else looks on."""
    groups = {}
    for fleet in fleets:
        groups.setdefault(id(fleet), []).append(fleet)
    made = {key: iter(together(act, len(each)) if len(each) > 1 else [act]) for key, each in groups.items()}
    return [next(made[id(fleet)]) for fleet in fleets]


@pytest.fixture(scope="module")
def stage(client, images, python) -> Iterator[Stage]:
    made = Stage(client)
    try:
        with made.haystack:
            yield made
    finally:
        made.close()


def cut(done: Round, victims: int = 2) -> bool:
    """Whether all that failed was in the hands of a container that was ended: tunnels that stood."""
    return all(f["kind"].startswith("closed") for f in done.report["failures"]) and done.failed <= PLAN.connections * victims


def refused(done: Round, victims: int = 2) -> bool:
    """Whether all that failed had been sent to what was ended, was told so, and is no more than there are requests at once."""
    told = all(f["kind"] == "status 502" and "a retry is not safe" in f["proxy_status"] for f in done.report["failures"])
    return told and done.failed <= PLAN.connections * victims


@pytest.mark.parametrize("name", ["stop", "restart", "redeploy"])
def test_containers_that_are_told_to_stop_cost_no_request(stage, name):
    for (way, method), done in stage.play(name).items():
        assert done.failed == 0, (way, method, done.story())
        assert method == "POST" or way == "passthrough" or done.slowest < SLOWEST, (way, method, done.story())
        assert once(done), (way, done.twice + done.lost)


@pytest.mark.parametrize("name", ["kill", "pause"])
def test_killed_and_paused_containers_cost_no_get_and_only_the_posts_that_had_reached_them(stage, name):
    for (way, method), done in stage.play(name).items():
        if way == "passthrough":
            assert cut(done), (way, method, done.story())
        elif method == "GET":
            assert done.failed == 0, (way, method, done.story())
            assert done.slowest < SLOWEST, (way, method, done.story())
        else:
            assert refused(done), (way, method, done.story())
        assert once(done), (way, done.twice + done.lost)


def test_requests_wait_for_the_only_container_of_a_service_to_restart(stage):
    for (way, method), done in stage.play("only").items():
        assert done.failed == 0, (way, method, done.story())
        assert once(done), (way, done.twice + done.lost)


@pytest.mark.parametrize("name", ["sick", "failing", "silent", "resetting"])
def test_an_endpoint_that_misbehaves_costs_no_get_and_no_post_from_the_second_second_on(stage, name):
    for (way, method), done in stage.play(name, READ, ILL).items():
        if method == "GET":
            assert done.failed == 0, (way, done.story())
            assert done.slowest < 1000 + SLOWEST, (way, done.story())
        elif name == "silent":
            assert done.failed <= 2 * ILL.connections, (way, done.story())
        else:
            assert done.failed_after(1.0) == [], (way, done.story())
        assert once(done), (way, done.twice + done.lost)


@pytest.mark.parametrize("name", ["replace", "certificate"])
def test_replacing_haystack_or_its_certificate_costs_no_request(stage, name):
    casts = CASTS if name == "replace" else CASTS[:2]
    for (way, method), done in stage.play(name, casts).items():
        assert done.failed == 0, (way, method, done.story())
        assert way == "passthrough" or done.slowest < SLOWEST, (way, method, done.story())  # where each request has a handshake of its own
        assert once(done), (way, done.twice + done.lost)


def test_a_killed_worker_costs_what_was_in_flight_on_it_and_nothing_more(stage):
    for (way, method), done in stage.play("worker").items():
        kinds = {f["kind"].partition(" ")[0] for f in done.report["failures"]}
        assert kinds <= {"closed", "ConnectionResetError", "ConnectionAbortedError", "SSLError"}, (way, method, done.story())
        assert done.failed <= PLAN.connections, (way, method, done.story())
        assert once(done), (way, done.twice + done.lost)

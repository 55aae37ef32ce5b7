"""Which other Haystacks live, and who is told of it."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from haystack.dns.peers import Pace, Peers
from haystack.health.failure_texts import REFUSED, SILENT
from haystack.model.records import Peer
from haystack.settings.addresses import networks

PACE = Pace(pause=0.01, answer=0.5)
OWN = Peer(name="n1", address="10.77.0.2", near=(("net", "10.0.1.2", None),), own=True)
OTHER = Peer(name="n2", address="10.77.0.3", near=(("net", "10.0.1.3", None),))


class World:
    """What peers answer, by address and port, and what was told of it."""

    def __init__(self):
        self.says, self.asked, self.met, self.news = {}, [], [], asyncio.Event()

    async def ask(self, address, port, request, _patience, *, greeting=b""):
        await asyncio.sleep(0)
        self.asked.append((address, port, greeting + request))
        said = self.says.get((address, port), (200, ""))
        return said(greeting) if callable(said) else said

    def tell(self, living, own):
        self.met.append(([peer.name for peer in living], own))
        self.news.set()

    async def until(self, condition):
        async with asyncio.timeout(5):
            while not condition():
                self.news.clear()
                await self.news.wait()

    async def after(self, questions):
        wanted = len(self.asked) + questions
        async with asyncio.timeout(5):
            while len(self.asked) < wanted:  # noqa: ASYNC110 - a question is no event
                await asyncio.sleep(0.005)


@asynccontextmanager
async def peers(world, *configured, http=80, proxies=""):
    made = Peers(configured, http, world.tell, world.ask, PACE, networks(proxies))
    made.start()
    try:
        yield made
    finally:
        made.close()


async def test_who_answers_is_in_and_who_has_not_yet_is_out():
    world = World()
    world.says["10.0.0.2", 8080] = (0, "does not answer")
    async with peers(world, "10.0.0.1", "10.0.0.2:8080", "[fd00::1]:81") as made:
        await world.until(lambda: len(made.living) == 2)
        await world.after(6)
        assert [(peer.address, peer.port) for peer in made.living] == [("10.0.0.1", 80), ("fd00::1", 81)]
        assert b"Host: [fd00::1]:81\r\n" in next(request for address, _, request in world.asked if ":" in address)


async def test_who_refuses_or_is_not_ready_leaves_at_once_and_who_is_silent_after_two_questions():
    world = World()
    async with peers(world, "10.0.0.1") as made:
        for answer in ((0, REFUSED), (503, ""), (0, "does not answer")):
            world.says.clear()
            await world.until(lambda: made.living)
            world.asked.clear()
            world.says["10.0.0.1", 80] = answer
            await world.until(lambda: not made.living)
            assert len(world.asked) <= (2 if answer[0] or answer[1] == REFUSED else 3)


async def test_one_without_a_web_side_for_others_lives_all_the_same():
    world = World()
    world.says["10.0.0.1", 80] = (404, "")
    async with peers(world, "10.0.0.1") as made:
        await world.until(lambda: made.living)


async def test_tasks_of_its_own_service_are_asked_on_a_network_that_both_are_on():
    world = World()
    far = Peer(name="n3", address="10.77.0.4", near=(("another", "10.0.2.3", None),))
    async with peers(world, http=8000) as made:
        made.follow((OWN, OTHER, far))
        await world.until(lambda: len(made.living) == 2)
        assert {(address, port) for address, port, _ in world.asked} == {("10.0.1.3", 8000), ("10.77.0.4", 80)}
        assert world.met[-1] == (["n2", "n3"], OWN)
        made.follow((OWN, far))
        assert world.met[-1] == (["n3"], OWN)
        made.follow(())
        assert world.met[-1] == ([], None)


def behind_proxies(greeting):
    """One that takes who asks for a load balancer: HAYSTACK_PROXY_PROTOCOL."""
    return (200, "") if greeting else (0, REFUSED)


def before_all(greeting):
    """One that takes nobody for one."""
    return (400, "") if greeting else (200, "")


@pytest.mark.parametrize("proxies", ["", "10.0.0.0/8"])
@pytest.mark.parametrize("wanted", [behind_proxies, before_all])
async def test_who_wants_a_proxy_header_is_sent_one_and_nobody_else(proxies, wanted):
    world = World()
    world.says["10.0.0.1", 80] = wanted
    async with peers(world, "10.0.0.1", proxies=proxies) as made:
        await world.until(lambda: made.living)
        world.asked.clear()
        await world.after(5)
        assert {request.startswith(b"\r\n\r\n\0\r\nQUIT\n") for _, _, request in world.asked} == {wanted is behind_proxies}
        world.says["10.0.0.1", 80] = (503, "")
        await world.until(lambda: not made.living)


async def test_the_first_question_begins_with_a_header_where_the_peer_is_a_proxy_to_this_one():
    """It most likely has the same settings, and would log one without."""
    world = World()
    world.says["10.0.0.1", 80] = behind_proxies
    async with peers(world, "10.0.0.1", proxies="10.0.0.0/8") as made:
        await world.until(lambda: made.living)
        assert len(world.asked) == 1


async def test_nothing_is_told_where_nothing_has_changed():
    world = World()
    async with peers(world) as made:
        made.follow((OWN, OTHER))
        await world.until(lambda: made.living)
        told = len(world.met)
        made.follow((OWN, OTHER))
        await world.after(5)
        assert len(world.met) == told


async def test_without_peers_nothing_is_ever_told():
    world = World()
    async with peers(world) as made:
        made.follow(())
        assert (world.met, world.asked) == ([], [])


async def test_how_each_is_doing_is_told():
    world = World()
    world.says["10.0.0.2", 8080] = (0, REFUSED)
    async with peers(world, "10.0.0.1", "10.0.0.2:8080") as made:
        begun = {each.name: each for each in made.standings()}
        assert not any(each.up or each.lost or each.error for each in begun.values())
        assert all(each.since > 0.0 and each.answered == 0.0 for each in begun.values())
        await world.after(6)
        up, out = made.standings()
        assert (up.address, up.port, up.up, up.error, up.lost) == ("10.0.0.1", 80, True, "", False)
        assert up.answered >= up.since >= begun["10.0.0.1"].since
        assert (out.address, out.port, out.up, out.error, out.answered) == ("10.0.0.2", 8080, False, REFUSED, 0.0)
        assert type(out.error) is str  # JSON takes no other
        assert out.since == begun["10.0.0.2:8080"].since
        world.says["10.0.0.1", 80] = (0, SILENT)
        await world.until(lambda: not made.living)
        await world.after(4)
        lost = made.standings()[0]
        assert (lost.up, lost.error, lost.lost) == (False, SILENT, True)
        assert lost.since >= lost.answered > up.since
        del world.says["10.0.0.1", 80]
        await world.until(lambda: made.living)
        await world.after(4)
        again = made.standings()[0]
        assert (again.up, again.error, again.lost) == (True, SILENT, False)
        assert again.since > lost.since


async def test_a_status_that_says_unready_is_its_error():
    world = World()
    world.says["10.0.0.1", 80] = (503, "")
    async with peers(world, "10.0.0.1") as made:
        await world.after(3)
        assert made.standings()[0].error == "it answers 503"


async def test_tasks_on_one_node_are_told_apart_and_one_that_has_gone_is_not_told():
    world = World()
    twin = Peer(name="n2", address="10.77.0.3", near=(("net", "10.0.1.4", None),))
    async with peers(world) as made:
        made.follow((OWN, OTHER, twin))
        await world.until(lambda: len(made.living) == 2)
        await world.after(4)
        assert [(each.name, each.address) for each in made.standings()] == [("n2", "10.0.1.3"), ("n2 (2)", "10.0.1.4")]
        made.follow((OWN, twin))
        assert [(each.name, each.address) for each in made.standings()] == [("n2", "10.0.1.4")]

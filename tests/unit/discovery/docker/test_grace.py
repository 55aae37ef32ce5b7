"""HAYSTACK_ENGINE_GRACE: how long the containers of an engine that is lost stay as it listed them last."""

import asyncio

from haystack.catalog.registry import Registry
from haystack.discovery.docker.grace import Grace
from haystack.discovery.exposure import Labelled
from haystack.model import ports
from haystack.model.records import Container, Engine, Listing, Options

NAME = "web.services.haystack"
ENGINE = Engine(id="E", name="node5", host="tcp://10.0.0.5:2375")
WEB = Container(
    id="1" * 64, name="web", engine="E", services=("web",), address="10.0.0.1", ports=(ports.named(80, "tcp"),),
    options=Options(labelled=True),
)  # fmt: skip


class Rig:
    def __init__(self, seconds):
        self.registry = Registry("haystack")
        self.news = asyncio.Event()
        self.registry.subscribe(lambda _: self.news.set())
        self.grace = Grace(Labelled(self.registry), seconds)

    def list(self):
        self.grace.replace("e", Listing(engine=ENGINE, containers=(WEB,)))
        self.registry.flush()

    @property
    def endpoint(self):
        return self.registry.snapshot.services[NAME].endpoints[0]

    async def until(self, ready):
        async with asyncio.timeout(5):
            while self.endpoint.ready is not ready:
                self.news.clear()
                await self.news.wait()


async def test_they_stay_for_a_while_and_then_are_out_with_the_reason():
    rig = Rig(0.05)
    rig.list()
    rig.grace.failed("e", "no answer")
    rig.grace.failed("e", "no answer")
    assert rig.registry.lost == {"E"}
    assert rig.endpoint.ready
    await rig.until(ready=False)
    assert rig.endpoint.reason.startswith("its engine node5 has not answered for ")
    assert not rig.registry.sources["e"].connected
    rig.list()
    await rig.until(ready=True)
    assert rig.registry.lost == set()


async def test_an_engine_that_is_back_in_time_has_lost_nothing_and_its_time_begins_anew():
    rig = Rig(0.05)
    rig.list()
    rig.grace.failed("e", "no answer")
    rig.list()
    await asyncio.sleep(0.1)
    assert rig.endpoint.ready
    rig.grace.failed("e", "no answer")
    await rig.until(ready=False)
    rig.grace.close()


async def test_without_a_limit_they_stay():
    rig = Rig(0.0)
    rig.list()
    rig.grace.failed("e", "no answer")
    await asyncio.sleep(0.02)
    rig.registry.flush()
    assert rig.endpoint.ready

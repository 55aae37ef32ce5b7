"""The story as a whole: of a service whose last container ends it is said why, by the container's own reason."""

from __future__ import annotations

from structlog.testing import capture_logs

from haystack.catalog.incremental import Builder
from haystack.health.policy import Condition
from haystack.loop.turns import at_once
from haystack.model import ports
from haystack.model.records import Container, Departure, Listing
from haystack.model.snapshot import Snapshot
from haystack.observe.history import Past
from haystack.observe.snapshot_log import SnapshotLog


def container(number: int, service: str) -> Container:
    named = (ports.named(80, "tcp"),)
    return Container(
        id=f"{number:012x}" * 5, name=f"c{number}", engine="e", since=1.0, services=(service,), address="10.0.0.1", ports=named
    )


def test_a_service_is_down_for_the_reason_of_its_last_container_though_that_has_gone() -> None:
    ended: list[Departure] = []
    story, builder = SnapshotLog(lambda: 80, lambda: ended, Past()), Builder(Snapshot(version=0, created=0.0, origin="haystack"))

    def show(*containers: Container) -> list[tuple[str, str, object]]:
        made = at_once(builder.build({"x": Listing(containers=containers)}, 1.0, 1.0, lambda _container, _endpoint: Condition()))
        assert made is not None
        with capture_logs() as lines:
            at_once(story.follow(made))
        return [(line["event"], line["name"], line.get("reason")) for line in lines]

    web, api = container(1, "web"), container(2, "api")
    show(web, api)
    ended.append(Departure(container=web, exit="3", at=1.0, seen=1.0))
    assert show(api) == [("container.left", "c1", "exit 3"), ("service.down", "web.services.haystack", "exit 3")]
    assert show() == [("container.left", "c2", "removed"), ("service.down", "api.services.haystack", "removed")]

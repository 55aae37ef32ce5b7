"""HAYSTACK_EXPOSE=labelled: who has no haystack.* label is in no service, and in DNS by its own name still."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from haystack.discovery import labels
from haystack.discovery.exposure import Labelled
from haystack.dns import wire
from haystack.dns.zone import Zone
from haystack.model.records import Container, Listing, Port
from haystack.model.unproxied import unserved
from tests.oracles.snapshot import build

HTTP = (Port(number=80, protocol="tcp", name="http"),)


class Sink:
    def __init__(self) -> None:
        self.got: list[tuple[str, Listing | str]] = []

    def replace(self, source: str, listing: Listing) -> None:
        self.got.append((source, listing))

    def failed(self, source: str, error: str) -> None:
        self.got.append((source, error))

    @property
    def listing(self) -> Listing:
        listing = self.got[-1][1]
        assert isinstance(listing, Listing)
        return listing


def container(number: int, told: Mapping[str, str]) -> Container:
    options, _ = labels.read(told)
    identity = f"{number:012x}" + "0" * 52
    return Container(id=identity, name=f"c{number}", engine="e", services=("web",), address=f"10.0.0.{number}", ports=HTTP, options=options)


SERVED = ({"haystack.enable": "true"}, {"haystack.port": "80"}, {"haystack.eject": "on"})
UNSERVED = (
    *({}, {"com.docker.compose.service": "web"}, {"haystack": "x"}, {labels.ITSELF: "true"}),
    *({"haystack.prot": "80"}, {"haystack.port": "x"}),
)


@pytest.mark.parametrize(("told", "served"), [*((t, True) for t in SERVED), *((t, False) for t in UNSERVED)])
def test_only_who_has_a_label_is_served(told: Mapping[str, str], served: bool) -> None:
    sink = Sink()
    Labelled(sink).replace("s", Listing(containers=(container(1, told),)))
    snapshot = build(1, "haystack", {"s": sink.listing}, 1.0)
    assert list(snapshot.services) == (["web.services.haystack"] if served else [])
    why = unserved(sink.listing.containers[0])
    assert why.startswith("" if served else "HAYSTACK_EXPOSE=labelled, and it has no haystack.* label that counts, so")
    assert bool(why) != served
    assert "c1.containers.haystack" in {b".".join(wire.labels(key)).decode() for key in Zone.of(snapshot, 5).nodes}


def test_what_has_not_changed_is_the_same_object() -> None:
    sink, first, second = Sink(), container(1, {}), container(2, {"haystack.port": "80"})
    exposing = Labelled(sink)
    exposing.replace("s", Listing(containers=(first, second)))
    before = sink.listing.containers
    exposing.replace("s", Listing(containers=(first, second, container(3, {}))))
    assert [a is b for a, b in zip(before, sink.listing.containers, strict=False)] == [True, True]
    exposing.replace("s", Listing(containers=(container(1, {"haystack.port": "80"}), second)))
    assert [c.services for c in sink.listing.containers] == [("web",), ("web",)]


def test_errors_pass() -> None:
    sink = Sink()
    Labelled(sink).failed("s", "away")
    assert sink.got == [("s", "away")]


def test_a_source_that_withdraws_is_passed_on_and_comes_anew() -> None:
    class Withdrawn(Sink):
        def withdraw(self, source: str) -> None:
            self.got.append((source, "withdrawn"))

    sink = Withdrawn()
    labelled = Labelled(sink)
    one = container(1, {"haystack.weight": "7"})
    labelled.replace("swarm", Listing(containers=(one,)))
    labelled.withdraw("swarm")
    assert sink.got[-1] == ("swarm", "withdrawn")
    labelled.replace("swarm", Listing(containers=(one,)))
    assert list(sink.listing.containers) == [one]

"""haystack.health.grpc with grpcio's own servers: who is in, and what is told of who is not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.fakes.client import Client
from tests.fakes.grpc_health import HealthServer, serving
from tests.fakes.worker import Haystack, Member, host, until

QUICK = {"haystack.health.interval": "100ms", "haystack.health.fall": "2", "haystack.health.rise": "1"}


def rows(haystack: Haystack, image: str) -> list[dict[str, object]]:
    """What /api/services tells of the endpoints of a service."""
    with Client(haystack.port) as client:
        found = json.loads(client.get("localhost", "/api/services").body)
    return [row for row in found if row["name"] == host(image)]


def reasons(haystack: Haystack, image: str) -> list[str]:
    return [str(row["reason"]) for row in rows(haystack, image) if not row["ready"]]


@pytest.fixture
def servers() -> Iterator[list[HealthServer]]:
    with ExitStack() as stack:
        yield [stack.enter_context(serving()) for _ in range(2)]


def test_an_endpoint_is_in_while_it_is_serving(servers: list[HealthServer]) -> None:
    with Haystack([Member("cart", each.port, {"haystack.health.grpc": "on", **QUICK}) for each in servers]) as haystack:
        until(lambda: haystack.serving("cart") == 2, 10, "both are SERVING")
        servers[0].set("", "NOT_SERVING")
        until(lambda: haystack.serving("cart") == 1, 10, "one is NOT_SERVING, and in")
        (why,) = reasons(haystack, "cart")
        assert why.startswith("probe: gRPC health is NOT_SERVING, 2 in a row")
        servers[0].set("", "SERVING")
        until(lambda: haystack.serving("cart") == 2, 10, "it is SERVING again, and out")


def test_it_asks_for_the_service_that_the_label_names(servers: list[HealthServer]) -> None:
    """The server as a whole is SERVING; the service has no status in one of them."""
    servers[0].set("shop.Cart", "SERVING")
    with Haystack([Member("cart", each.port, {"haystack.health.grpc": "shop.Cart", **QUICK}) for each in servers]) as haystack:
        until(lambda: haystack.serving("cart") == 1 and reasons(haystack, "cart") != [], 15, "one knows the service")
        until(lambda: "not known to the server" in reasons(haystack, "cart")[0], 15, "what is the matter is not told")


def test_a_server_without_the_health_service_is_told_what_to_do() -> None:
    with serving() as good, serving(health_service=False) as bare:
        labels = {"haystack.health.grpc": "on", **QUICK}
        with Haystack([Member("cart", good.port, labels), Member("cart", bare.port, labels)]) as haystack:
            until(lambda: haystack.serving("cart") == 1, 15, "one has the health service")
            until(lambda: "add grpc.health.v1.Health" in "".join(reasons(haystack, "cart")), 15, "what is to be done is not told")

"""HTTP health checks by HTTP/2, of endpoints that are spoken to so."""

import pytest
from msgspec.structs import replace

from haystack.health import asking
from haystack.health.endpoint_tls import Unsealed
from haystack.health.probe import of
from haystack.model.records import ConnectionOptions, Options
from tests.fakes.state import ENDPOINT


@pytest.mark.parametrize(("protocol", "http2"), [("http", False), ("https", False), ("h2c", True), ("h2", True)])
def test_a_path_is_asked_for_as_the_endpoint_is_spoken_to(protocol, http2):
    endpoint = replace(ENDPOINT, connection=ConnectionOptions(protocol=protocol))
    assert of(Options(health={"path": "/up"}), endpoint).http2 is http2
    assert of(Options(health={"path": "/up", "port": "9000"}), endpoint).http2 is False


async def test_nothing_is_asked_while_nobody_knows_whom_to_trust():
    probe = replace(of(Options(health={"grpc": "on"}), ENDPOINT), address="127.0.0.1")
    assert await asking.ask(probe, lambda: Unsealed("its CA certificates are not read yet")) == (
        False,
        f"port {ENDPOINT.port} its CA certificates are not read yet",
    )

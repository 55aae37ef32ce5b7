"""Which port and which name a container has whose HTTP is within TLS."""

import pytest

from haystack.model import endpoints, ports
from haystack.model.records import Container, Options
from haystack.model.services import Sealing


def made(*numbers, services=("web",), **options):
    listed = tuple(ports.named(number, "tcp") for number in numbers)
    found = endpoints.endpoints(
        "haystack",
        Container(id="a" * 64, name="x", engine="e", services=services, address="192.0.2.1", ports=listed, options=Options(**options)),
    )
    return {e.port: (e.listener, e.speaks) for e in found if e.listener}, next((e.sealing for e in found if e.sealing), None)


@pytest.mark.parametrize(
    ("exposed", "port", "served"),
    [
        ((443,), None, {443: "http"}),
        ((80, 443, 8080, 8443), None, {443: "http"}),
        ((80, 8443), None, {8443: "http"}),
        ((80, 8080), None, {80: "http", 8080: "http-alt"}),
        ((443, 8080), 3000, {3000: "http", 8080: "http-alt"}),
        ((443,), 443, {443: "http"}),
        ((5432,), None, {}),
    ],
)
def test_the_port_for_tls_is_the_only_one_unless_a_label_names_one(exposed, port, served):
    for protocol in ("https", "h2"):
        assert made(*exposed, protocol=protocol, port=port)[0] == {number: (listener, protocol) for number, listener in served.items()}


def test_without_tls_443_is_no_port_for_http():
    assert made(443, protocol="h2c") == ({}, None)
    assert made(80, 443) == ({80: ("http", "http")}, None)


def test_the_name_is_that_of_the_label_else_the_first_host_else_the_service():
    asked = {"protocol": "https", "hosts": ("*.example", "www.example")}
    assert made(443, **asked, tls_server_name="db", tls_ca="/ca", tls_verify=False)[1] == Sealing(name="db", ca="/ca", verify=False)
    assert made(443, **asked)[1] == Sealing(name="www.example")
    assert made(443, protocol="https", hosts=("*.example",))[1] == Sealing(name="web.services.haystack")
    assert made(443, protocol="https", services=())[1] == Sealing(name="")

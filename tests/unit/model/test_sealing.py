"""Which port and which name a container has whose HTTP is within TLS."""

import pytest

from haystack.model import endpoints, ports
from haystack.model.records import ConnectionOptions, Container, Options


def made(*numbers, services=("web",), **options):
    listed = tuple(ports.named(number, "tcp") for number in numbers)
    found = endpoints.endpoints(
        "haystack",
        Container(id="a" * 64, name="x", engine="e", services=services, address="192.0.2.1", ports=listed, options=Options(**options)),
    )
    served = {e.port: (e.listener, e.connection.protocol) for e in found if e.listener}
    return served, next((e.connection for e in found if e.connection.is_sealed), None)


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
    labels = {"protocol": "https", "tls_server_name": "db", "tls_ca": "/ca", "tls_verify": False}
    assert made(443, **asked | labels)[1] == ConnectionOptions(**labels)
    assert made(443, **asked)[1] == sealed("www.example")
    assert made(443, protocol="https", hosts=("*.example",))[1] == sealed("web.services.haystack")
    assert made(443, protocol="https", services=())[1] == sealed("")


def sealed(name):
    return ConnectionOptions(protocol="https", tls_server_name=name)


@pytest.mark.parametrize("options", [{"hosts": ("www.example",), "https": "passthrough"}, {"port": 80}])
def test_labels_for_tls_count_where_requests_are_sent_within_it_alone(options):
    """Not where it is passed through, and not without it; the PROXY header counts there, too."""
    asked = {"tls_server_name": "db", "tls_ca": "/ca", "tls_verify": False, "proxy_protocol": 2}
    listed = tuple(ports.named(number, "tcp") for number in (80, 443))
    told = Container(
        id="a" * 64, name="x", engine="e", services=("web",), address="192.0.2.1", ports=listed, options=Options(**asked, **options)
    )
    found = endpoints.endpoints("haystack", told)
    assert {e.connection for e in found} == {ConnectionOptions(proxy_protocol=2)}

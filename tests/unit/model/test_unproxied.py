"""What is said of services and containers to which no HTTP is proxied, and how containers are called."""

from __future__ import annotations

import pytest

from haystack.model import unproxied


@pytest.mark.parametrize(
    ("ports", "told"),
    [
        ([(3000, "tcp"), (22, "tcp")], "(22/tcp, 3000/tcp): set the label haystack.port to its HTTP port, as in haystack.port=3000"),
        (
            [(443, "tcp"), (443, "tcp")],
            "(443/tcp): set the label haystack.protocol=https if it serves HTTPS, or haystack.port to its HTTP port",
        ),
        ([(53, "udp")], "(53/udp)"),
    ],
)
def test_the_example_is_the_port_that_most_likely_speaks_http(ports: list[tuple[int, str]], told: str) -> None:
    assert unproxied.silent(ports) == f"none of its ports is known to speak HTTP {told}"


@pytest.mark.parametrize(
    ("name", "told"),
    [("trial_p_web_1", "trial_p_web_1 (trial-p-web-1 in DNS)"), ("web-001", "web-001"), ("Web", "Web"), ("___", "___")],
)
def test_a_container_is_called_by_both_names_where_they_differ(name: str, told: str) -> None:
    assert unproxied.called(name) == told


def test_one_that_is_called_longer_in_dns_is_so_here() -> None:
    assert unproxied.called("a_b", "a-b-0123456789ab") == "a_b (a-b-0123456789ab in DNS)"

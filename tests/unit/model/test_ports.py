"""Ports: IANA's names, and who speaks HTTP where."""

import csv
from importlib.resources import files

import pytest

from haystack.model import ports


@pytest.mark.parametrize(
    ("text", "name", "listener"),
    [
        ("80/tcp", "http", "http"),
        ("80", "http", "http"),
        ("80/udp", "http", None),
        ("8080/tcp", "http-alt", "http-alt"),
        ("591/tcp", "http-alt", "http-alt"),
        ("443/tcp", "https", None),
        ("53/udp", "domain", None),
        ("49999/tcp", "49999", None),
    ],
)
def test_name_and_listener(text, name, listener):
    port = ports.parse(text)
    assert (port.name, ports.listener(port)) == (name, listener)


@pytest.mark.parametrize("text", ["", "0/tcp", "65536/tcp", "-1", "80/ftp", "x/tcp", "80/tcp/x", "٣/tcp", "9" * 5000])
def test_what_is_no_port(text):
    assert ports.parse(text) is None


def test_the_labelled_port_is_the_only_http_one():
    assert ports.listener(ports.named(3000, "tcp"), 3000) == "http"
    assert ports.listener(ports.named(8080, "tcp"), 8080) == "http"
    assert ports.listener(ports.named(80, "tcp"), 3000) is None
    assert ports.listener(ports.named(8080, "tcp"), 3000) == "http-alt"


def test_union_has_each_once_in_order_and_tells_the_odd_ones():
    found, odd = ports.union(["443/tcp", "80/tcp", "80", "what"])
    assert [p.number for p in found] == [80, 443]
    assert odd == ("what",)


def test_every_port_of_the_register_has_its_name_and_others_their_number():
    with (files("haystack") / "data" / "service-names.csv").open(encoding="utf-8") as text:
        names = {(int(row["port"]), row["protocol"]): row["service"] for row in csv.DictReader(text)}
    assert len(names) > 10_000
    asked = [*names, *((number, protocol) for number in (0, 1, 4, 65535, 65536) for protocol in (*ports.PROTOCOLS, "x"))]
    assert {each: ports.named(*each).name for each in asked} == {each: names.get(each, str(each[0])) for each in asked}

"""Which nameservers a name is asked of, and that a changed resolv.conf counts."""

from types import SimpleNamespace

import dns.rcode
import pytest
import structlog.testing

from haystack.dns import wire
from haystack.dns.forward import routes
from haystack.dns.forward.forwarder import Forwarder
from haystack.dns.forward.nameservers import Nameserver, others, text
from haystack.dns.forward.routes import ResolvConf, Routes
from haystack.settings import forwarding
from tests.unit.dns.forward.client import Clock, resolve
from tests.unit.dns.nameserver import GOOD, NXDOMAIN, FakeNameserver

ONE, TWO, THREE = (Nameserver(f"198.51.100.{n}") for n in (1, 2, 3))


def settings(nameservers=(), forward="", bind=()):
    return SimpleNamespace(bind=bind, dns_nameservers=nameservers, dns_forward=forwarding.read(forward) if forward else None)


@pytest.mark.parametrize(
    ("name", "server"),
    [
        ("example.com", ONE),
        ("corp", TWO),
        ("www.corp", TWO),
        ("mycorp", ONE),
        ("lan.corp", THREE),
        ("a.b.lan.corp", THREE),
        ("mylan.corp", TWO),
        ("", ONE),
    ],
)
def test_the_longest_domain_counts(name, server):
    made = routes.made(settings(("198.51.100.1",), "corp=198.51.100.2;Lan.Corp.=198.51.100.3"), 53)
    assert made.of(wire.name(name)) == (server,)
    assert made.opened(wire.name(name)) == (server is not ONE)
    assert made.all() == (ONE, TWO, THREE)


def test_nameservers_that_are_set_come_before_resolv_conf(monkeypatch, tmp_path):
    monkeypatch.setattr(routes, "ResolvConf", None)
    assert routes.made(settings(("198.51.100.1",)), 53).default == (ONE,)
    assert routes.made(settings(("127.0.0.1",)), 53).default == ()  # ourselves: then nobody, not others


def test_a_domain_without_a_nameserver_but_us_has_none():
    made = routes.made(settings(("198.51.100.1",), "corp=127.0.0.1"), 53)
    assert made.of(wire.name("www.corp")) == ()


@pytest.fixture
def conf(tmp_path):
    path = tmp_path / "resolv.conf"
    path.write_text("nameserver 198.51.100.1\n")
    clock = Clock()
    return path, clock, ResolvConf(lambda texts: others(texts, (), 53), path, clock)


def test_a_changed_resolv_conf_counts_within_a_second(conf):
    path, clock, servers = conf
    assert servers() == (ONE,)
    path.write_text("nameserver 198.51.100.2\nnameserver 198.51.100.3\n")
    assert servers() == (ONE,)
    clock.now += 1
    with structlog.testing.capture_logs() as lines:
        assert servers() == (TWO, THREE)
    assert [(line["event"], line["nameservers"]) for line in lines] == [("nameservers.changed", ["198.51.100.2:53", "198.51.100.3:53"])]


def test_so_does_another_file_in_its_place_and_one_that_is_gone(conf, tmp_path):
    path, clock, servers = conf
    assert servers() == (ONE,)
    other = tmp_path / "other"
    other.write_text("nameserver 198.51.100.2\n")
    other.rename(path)
    clock.now += 1
    assert servers() == (TWO,)
    path.unlink()
    clock.now += 1
    assert servers() == ()
    path.write_text("nameserver 198.51.100.1\n")
    clock.now += 1
    assert servers() == (ONE,)


def test_one_that_has_not_changed_is_not_read_again(conf):
    path, clock, servers = conf
    servers()
    path.chmod(0o600)
    servers._own = None
    clock.now += 10
    assert servers() == (ONE,)


async def test_what_other_nameservers_said_is_forgotten(tmp_path):
    path, clock = tmp_path / "resolv.conf", Clock()
    async with FakeNameserver(NXDOMAIN) as outside, FakeNameserver(GOOD) as inside:
        by_name = {"198.51.100.1": outside.address, "198.51.100.2": inside.address}
        conf = ResolvConf(lambda texts: tuple(by_name[each] for each in texts), path, clock)
        path.write_text("nameserver 198.51.100.1\n")
        forwarder = Forwarder(Routes(conf), clock=clock)
        assert (await resolve(forwarder, "intra.example")).rcode() == dns.rcode.NXDOMAIN
        path.write_text("nameserver 198.51.100.2 # the office\n")
        clock.now += 1
        assert (await resolve(forwarder, "intra.example")).answer
        assert [text(each.server) for each in forwarder.figures().nameservers] == [text(inside.address)]

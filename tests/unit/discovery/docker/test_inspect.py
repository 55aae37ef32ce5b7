"""Inspect JSON, choice of address, own place, and TLS options: pure parts of discovery, case by case."""

import ipaddress
import ssl

import pytest
from msgspec.structs import replace

from haystack.discovery import own_place
from haystack.discovery.address import Surroundings, placed
from haystack.discovery.docker import client, events, inspect
from haystack.discovery.docker.tls import Certificates, TlsError, TlsOptions
from haystack.discovery.reachability import Standpoint
from haystack.model.records import Network
from tests.fakes.engine import inspected

ID = "a" * 64


def network(name, scope="local", subnets=()):
    return Network(id=name, name=name, engine="e", scope=scope, subnets=subnets)


NETWORKS = {n.id: n for n in (network("bridge"), network("alpha"), network("swarm", "swarm"), network("ingress", "swarm"))}


def found(*networks, label=None, mode="default", number=1):
    raw = inspected(number, "one")
    raw["NetworkSettings"]["Networks"] = {n: {"NetworkID": n, "IPAddress": f"10.0.0.{i}"} for i, n in enumerate(networks, 1)}
    raw["HostConfig"]["NetworkMode"] = mode
    if label:
        raw["Config"]["Labels"] = {"haystack.network": label}
    return inspect.container(raw, "e")


@pytest.mark.parametrize(
    ("networks", "label", "own", "chosen", "why"),
    [
        (("bridge",), None, (), "bridge", "its only network"),
        (("bridge", "alpha"), None, (), "alpha", "first by name"),
        (("bridge", "alpha"), None, ("bridge",), "bridge", "Haystack is on it too"),
        (("alpha", "swarm"), None, (), "swarm", "swarm scope before local"),
        (("alpha", "ingress"), None, (), "alpha", "first by name"),
        (("alpha", "swarm"), None, ("alpha",), "alpha", "Haystack is on it too"),
        (("alpha", "bridge"), "bridge", ("alpha",), "bridge", "set by label haystack.network"),
        (("alpha", "bridge"), "none", (), "alpha", "first by name"),
        ((), None, (), None, "no address on any network"),
    ],
)
def test_choice_of_address(networks, label, own, chosen, why):
    container = placed(found(*networks, label=label), Surroundings(networks=NETWORKS, here=Standpoint(own=frozenset(own))), {})
    assert container.network == chosen
    assert container.address_reason.endswith(why)
    assert [p.subject for p in container.problems] == (["label haystack.network"] if label == "none" else [] if networks else ["address"])


def test_host_network_and_shared_network():
    around = Surroundings(engine_address="192.0.2.9")
    host = placed(found("host", mode="host"), around, {})
    assert (host.address, host.address_reason) == ("192.0.2.9", "host network: its engine's address")
    main = found("alpha", number=2)
    shared = placed(found(mode=f"container:{main.container.id}"), around, {main.container.id: main})
    assert shared.address == "10.0.0.1"
    assert placed(found(mode="container:?"), around, {}).address is None


def test_ports_are_the_union_of_exposed_published_and_asked_for():
    raw = inspected(1, "one")
    raw["Config"]["Labels"] = {"haystack.port": "3000"}
    raw["HostConfig"]["PortBindings"] = {"9000/tcp": [{"HostPort": "9000"}]}
    raw["NetworkSettings"]["Ports"] = {"53/udp": None}
    assert [p.number for p in inspect.container(raw, "e").container.ports] == [53, 80, 3000, 9000]


def test_moments():
    assert inspect.moment("1970-01-01T00:00:01.500000000Z") == 1.5
    assert inspect.moment("1970-01-01T01:00:00+01:00") == 0.0
    assert inspect.moment("0001-01-01T00:00:00Z") == inspect.moment("never") == inspect.moment(None) == 0.0


@pytest.mark.parametrize(
    ("written", "name"),
    [
        (("15", "TERM", "sigterm", "SIGTERM", "015"), "SIGTERM"),
        (("6", "SIGABRT", "IOT"), "SIGABRT"),
        (("29", "SIGPOLL", "SIGIO"), "SIGIO"),
        (("37", "SIGRTMIN+3", "rtmin+3", "SIGRTMAX-27"), "SIGRTMIN+3"),
        (("34", "RTMIN"), "SIGRTMIN+0"),
        (("64", "SIGRTMAX"), "SIGRTMIN+30"),
        (("4711",), "4711"),
        (("odd", "SIGODD"), "SIGODD"),
        (("", " "), ""),
    ],
)
def test_a_signal_has_one_name(written, name):
    assert {events.signal_name(each) for each in written} == {name}


@pytest.mark.parametrize(
    ("mountinfo", "cgroup", "hostname", "expected"),
    [
        (f"1 2 3:4 /var/lib/docker/containers/{ID}/hostname /etc/hostname rw - x\n", "", "h", ID),
        (f"1 2 3:4 / /var/lib/docker/containers/{ID}/mounts/shm rw - x\n", "0::/\n", "h", ""),
        ("", f"1:name:/docker/{ID}\n", "h", ID),
        ("", f"0::/system.slice/docker-{ID}.scope\n", "h", ID),
        ("", "", "0123456789ab", "0123456789ab"),
    ],
)
def test_own_container(tmp_path, mountinfo, cgroup, hostname, expected):
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "mountinfo").write_text(mountinfo)
    (tmp_path / "self" / "cgroup").write_text(cgroup)
    assert own_place.container_id(tmp_path, hostname) == expected


def test_networks_that_an_own_address_lies_in():
    networks = (network("a", subnets=("172.17.0.0/16",)), network("b", subnets=("10.0.0.0/8", "odd")), network("c"))
    assert own_place.networks_of(networks, (ipaddress.ip_address("172.17.0.1"),)) == {"a"}


def test_engine_addresses():
    assert own_place.engine_address("tcp://192.0.2.1:2375", inside=False) == "192.0.2.1"
    assert own_place.engine_address("unix:///var/run/docker.sock", inside=False) == "127.0.0.1"


PEM = "-----BEGIN X-----\nabc\n-----END X-----"


def test_pem_text_is_kept_privately_and_removed(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Certificates(TlsOptions(ca=PEM, cert=PEM.replace("\n", "\\n"), key=PEM)) as certificates:
        (folder,) = tmp_path.iterdir()
        assert folder.stat().st_mode & 0o777 == 0o700
        assert {p.stat().st_mode & 0o777 for p in folder.iterdir()} == {0o600}
        assert {p.read_text() for p in folder.iterdir()} == {PEM + "\n"}
        assert certificates.client == (str(folder / "cert.pem"), str(folder / "key.pem"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (TlsOptions(cert=PEM), "DOCKER_CERT is given without DOCKER_KEY"),
        (TlsOptions(ca="/a/file"), "DOCKER_CA is not PEM text"),
        (TlsOptions(path="/no/such/folder"), "is not a folder"),
    ],
)
def test_tls_settings_that_can_not_be(options, words):
    with pytest.raises(TlsError, match=words), Certificates(options):
        pass


def test_errors_are_one_line():
    assert client.explain(ConnectionRefusedError(111, "Connection refused")) == "connection refused"
    assert client.explain(FileNotFoundError(2, "No such file or directory")) == "no such file or directory"
    assert client.explain(RuntimeError("one\ntwo")) == "one"
    assert client.explain(RuntimeError()) == "RuntimeError"
    assert client.explain(KeyError("message")) == "it answers, but is not a Docker Engine"
    assert "client certificate" in client.explain(OSError(ssl.SSLError(1, "[SSL] tlsv13 alert certificate required")))


@pytest.mark.parametrize(
    ("log", "output"),
    [
        ([{"Output": "old"}, {"Output": "\n no   answer \nat all"}], "no answer"),
        ([{"Output": "x" * 300}], "x" * 200),
        ([], ""),
        (None, ""),
        ([3], ""),
    ],
)
def test_the_output_of_the_last_health_check(log, output):
    raw = inspected(1, "one")
    raw["State"]["Health"] = {"Status": "unhealthy", "Log": log}
    container = inspect.container(raw, "e").container
    assert (container.health, container.health_output) == ("unhealthy", output)


@pytest.mark.parametrize(
    ("told", "aliases"),
    [
        ({"Aliases": None}, ()),
        ({"Aliases": ["db", "a" * 12, "db", "web", 7, ""]}, ("db",)),
        ({"Aliases": ["db"], "DNSNames": ["web", "db", "a" * 12, "host.example"]}, ("db", "host.example")),
        ({"Aliases": "db", "DNSNames": {}}, ()),
    ],
)
def test_aliases_are_what_docker_calls_it_on_a_network_beside_name_and_short_id(told, aliases):
    raw = inspected(1, "web") | {"Id": ID, "NetworkSettings": {"Networks": {"n": {"NetworkID": "n", **told}}}}
    assert inspect.container(raw, "e").container.attachments[0].aliases == aliases


def test_who_shares_the_network_of_another_does_not_have_its_aliases():
    main = found("alpha")
    main = replace(main, container=replace(main.container, attachments=(replace(main.container.attachments[0], aliases=("db",)),)))
    around = Surroundings(networks=NETWORKS)
    assert [a.aliases for a in placed(main, around, {}).attachments] == [("db",)]
    side = placed(found(mode=f"container:{main.container.id}", number=2), around, {main.container.id: main})
    assert [(a.network, a.aliases) for a in side.attachments] == [("alpha", ())]


@pytest.mark.parametrize(("ports", "problems"), [({}, []), ({"80/tcp": {}}, ["image"])])
def test_an_image_without_a_name_is_a_problem_where_something_would_be_served(ports, problems):
    """A step of `docker build` exposes nothing, as a rule, and is gone within moments."""
    raw = inspected(1, "one")
    raw["Config"]["Image"] = raw["Image"] = "sha256:" + "b" * 64
    raw["Config"]["ExposedPorts"] = ports
    raw["NetworkSettings"]["Ports"] = {}
    assert [p.subject for p in inspect.container(raw, "e").container.problems] == problems

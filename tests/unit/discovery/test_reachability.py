"""What is between Haystack and a container by all that networks tell, what to type, and network stacks that are shared."""

import ipaddress

import pytest
from msgspec.structs import replace

from haystack.discovery import own_place, reachability
from haystack.discovery.address import Surroundings, placed
from haystack.discovery.docker import inspect
from haystack.discovery.docker.engine_view import View
from haystack.discovery.reachability import Stand, Standpoint
from haystack.model.records import Attachment, Engine, Network
from tests.fakes.engine import inspected, rfc3339

OWN = inspected(1, "front")["Id"]
SHOP = Network(id="5" * 64, name="shop", engine="e", driver="bridge", gateway="10.5.0.1", subnets=("10.5.0.0/16",), attachable=True)
LAN = Network(id="6" * 64, name="lan", engine="e", driver="macvlan", gateway="192.0.2.1", subnets=("192.0.2.0/24",), attachable=True)
MESH = Network(id="7" * 64, name="mesh", engine="e", scope="swarm", driver="overlay", subnets=("10.7.0.0/16",), attachable=True)
CLOSED = replace(MESH, id="8" * 64, name="closed", attachable=False)
NETWORKS = (SHOP, LAN, MESH, CLOSED)


def raw(number, name, *networks, mode="default", labels=None, started=1000.0):
    made = inspected(number, name)
    made["NetworkSettings"]["Networks"] = {n.name: {"NetworkID": n.id, "IPAddress": f"10.0.0.{number}"} for n in networks}
    made["HostConfig"]["NetworkMode"] = mode
    made["State"]["StartedAt"] = rfc3339(started)
    made["Config"]["Labels"] = labels or {}
    return made


def seen(*containers, own="", here=(), networks=NETWORKS):
    """Containers by name, as listed by a view of an engine with these networks."""
    view = View(own)
    view.engine = Engine(id="e", name="box", host="unix:///x", address="127.0.0.1")
    view.set_networks(networks, tuple(map(ipaddress.ip_address, here)))
    for each in containers:
        view.put(inspect.container(each, "e"))
    return {c.name: c for c in view.listing().containers}


def obstacle(*containers, **where):
    found = seen(raw(9, "web", *containers[1:]), *containers[:1], **where)["web"].obstacle
    return found.told if found else None


def test_a_network_of_its_own_container_is_no_obstacle_and_another_one_is_named_with_what_to_type():
    me = raw(1, "front", MESH)
    assert obstacle(me, MESH, own=OWN) is None
    told = "Haystack has no address on its network shop; type `docker network connect shop front`"
    assert obstacle(me, SHOP, own=OWN, here=("10.5.0.1",)) == told
    assert obstacle(me, SHOP, own=OWN[:12]) == told


def test_a_container_without_network_has_to_leave_that_before_docker_lets_it_join_another():
    """`docker run --network none`, as for a Haystack that is hardened and connected afterwards."""
    none = Network(id="0" * 64, name="none", engine="e", driver="null")
    told = "type `docker network disconnect none front && docker network connect shop front`"
    assert obstacle(raw(1, "front", none), SHOP, own=OWN, networks=(*NETWORKS, none)).endswith(f"; {told}")


def test_in_a_service_of_swarm_it_is_the_service_that_joins():
    me = raw(1, "front.1.x", MESH, labels={"com.docker.swarm.service.name": "front"})
    assert obstacle(me, CLOSED, own=OWN).endswith("; type `docker service update --network-add closed front`")
    assert obstacle(me, SHOP, own=OWN).endswith("; type `docker network connect shop front.1.x`")


def test_a_network_for_services_alone_is_not_to_be_connected_to():
    told = "; only services may join that: run Haystack as one, `docker service create --network closed ... haystack`"
    assert obstacle(raw(1, "front", SHOP), CLOSED, own=OWN).endswith(told)


@pytest.mark.parametrize("mode", ["host", None])
def test_on_the_machine_itself_its_bridges_are_near_and_other_networks_are_not(mode):
    me = [raw(1, "front", mode=mode)] if mode else [raw(2, "other", SHOP)]
    where = {"own": OWN if mode else "", "here": ("10.5.0.1", "192.0.2.7")}
    assert obstacle(*me, SHOP, **where) is None
    told = "Haystack has no address on its network mesh; run Haystack in a container there: `docker run --network mesh ... haystack`"
    assert obstacle(*me, MESH, **where) == told
    assert obstacle(*me, CLOSED, **where).endswith("`docker service create --network closed ... haystack`")
    assert obstacle(*me, LAN, **where).startswith("a machine can't reach its own containers on its macvlan network lan; run Haystack")


def test_where_the_engine_runs_in_a_machine_of_its_own_its_bridges_are_far():
    told = "Haystack has no address on its network shop; run Haystack in a container there: `docker run --network shop ... haystack`"
    assert obstacle(raw(2, "other", SHOP), SHOP, here=("192.0.2.7",)) == told


def test_in_a_container_of_another_engine_a_network_of_both_can_be_joined_and_one_of_a_machine_can_not():
    assert obstacle(raw(2, "other"), MESH, own=OWN, here=("10.7.0.9",)) is None
    assert obstacle(raw(2, "other"), MESH, own=OWN).endswith(f"; type `docker network connect mesh {OWN[:12]}`")
    told = "; it is a network of another machine: put both on an overlay network, or run a Haystack there too"
    assert obstacle(raw(2, "other"), SHOP, own=OWN, here=("10.5.0.9",)).endswith(
        told
    )  # its engine has the same subnet, and it another gateway


def test_a_bridge_is_a_machines_own_by_its_gateway_and_another_network_by_its_subnet():
    here = [ipaddress.ip_address(each) for each in ("10.5.0.9", "10.7.0.9")]
    assert own_place.networks_of(NETWORKS, here) == {MESH.id, CLOSED.id}
    assert own_place.networks_of(NETWORKS, [ipaddress.ip_address("10.5.0.1")]) == {SHOP.id}
    assert own_place.networks_of([replace(SHOP, gateway=None)], here) == {SHOP.id}


def test_haystack_on_the_network_stack_of_another_is_on_that_ones_networks_and_that_one_has_to_be_connected():
    me, main = raw(1, "front", mode=f"container:{inspected(2, 'x')['Id']}"), raw(2, "vpn", MESH)
    assert seen(raw(9, "web", MESH), me, main, own=OWN)["web"].obstacle is None
    assert seen(raw(9, "web", SHOP), me, main, own=OWN)["web"].obstacle.remedy == "type `docker network connect shop vpn`"


def test_what_is_to_be_typed_is_quoted_and_a_name_that_two_networks_have_is_no_name():
    odd = replace(SHOP, name="my shop;rm")
    assert reachability.obstacle(
        Attachment(network=odd.name, network_id=odd.id), {odd.id: odd}, Standpoint(stand=Stand.INSIDE, name="front")
    ).remedy == ("type `docker network connect 'my shop;rm' front`")
    twice = (SHOP, replace(SHOP, id="9" * 64))
    me = raw(1, "front", MESH)
    assert obstacle(me, SHOP, own=OWN, networks=(*twice, MESH)).endswith("type `docker network connect 555555555555 front`")


def test_the_network_that_a_label_asks_for_counts_and_not_the_one_that_would_do():
    me, web = raw(1, "front", MESH), raw(9, "web", MESH, SHOP, labels={"haystack.network": "shop"})
    assert seen(me, web, own=OWN)["web"].obstacle.why == "Haystack has no address on its network shop"


def test_a_network_without_subnets_is_only_far_from_a_container_that_is_known_not_to_be_on_it():
    bare = replace(SHOP, gateway=None, subnets=())
    assert obstacle(raw(2, "other"), bare, networks=(bare,)) is None
    assert obstacle(raw(2, "other"), bare, networks=()) is None
    assert obstacle(raw(1, "front", MESH), bare, own=OWN, networks=(bare,)).endswith("connect shop front`")


def test_an_address_that_is_not_a_networks_has_no_obstacle():
    assert seen(raw(9, "web", mode="host"), raw(1, "front", SHOP), own=OWN)["web"].obstacle is None


# -- shared network stacks


def sharer(number, name, of, **more):
    return raw(number, name, mode=f"container:{inspected(of, 'x')['Id']}", **more)


def test_who_shares_a_network_stack_has_all_of_its_addresses_however_long_the_chain():
    found = seen(raw(2, "main", SHOP), sharer(3, "side", 2, started=1001.0), sharer(4, "third", 3, started=1002.0))
    for name in ("side", "third"):
        one = found[name]
        assert (one.address, one.network, one.attachments) == ("10.0.0.2", "shop", found["main"].attachments)
        assert (one.address_reason, one.problems) == ("shares the network of main: network shop: its only network", ())


def test_it_may_ask_for_another_of_them():
    main = raw(2, "main", SHOP, MESH, labels={"haystack.network": "mesh"})
    asks = sharer(4, "asks", 2, started=1001.0, labels={"haystack.network": "shop"})
    found = seen(main, sharer(3, "side", 2, started=1001.0), asks)
    assert (found["main"].network, found["side"].network, found["asks"].network) == ("mesh", "mesh", "shop")


def test_one_whose_partner_was_started_anew_after_it_is_to_be_started_again():
    found = seen(raw(2, "main", SHOP, started=2000.0), sharer(3, "side", 2, started=1001.0), sharer(4, "third", 3, started=1002.0))
    told = "it is on a network stack that main had before its restart; type `docker restart side`"
    assert (found["side"].obstacle.told, found["side"].obstacle.refusal) == (told, True)
    assert [(p.subject, p.message) for p in found["side"].problems] == [("network", told)]
    assert found["third"].obstacle.remedy == "type `docker restart side && docker restart third`"
    assert found["main"].problems == ()


def test_one_whose_partner_does_not_run_has_no_address_and_says_so():
    one = seen(sharer(3, "side", 2))["side"]
    assert (one.address, one.attachments) == (None, ())
    told = "it has none, so it gets no requests: shares the network of 200000000000, which is not running"
    assert [(p.subject, p.message.partition(";")[0]) for p in one.problems] == [("address", told)]


def test_a_ring_has_no_address():
    found = seen(sharer(3, "a", 4), sharer(4, "b", 3))
    assert found["a"].address is found["b"].address is None


def test_who_shares_it_with_one_on_the_host_network_has_its_engines_address():
    found = seen(raw(2, "main", mode="host"), sharer(3, "side", 2, started=1001.0))
    assert (found["side"].address, found["side"].network) == ("127.0.0.1", "host")


@pytest.mark.parametrize("named", ["main", inspected(2, "x")["Id"][:12]])
def test_an_engine_may_keep_the_name_that_was_typed(named):
    assert seen(raw(2, "main", SHOP), raw(3, "side", mode=f"container:{named}", started=1001.0))["side"].address == "10.0.0.2"


def test_a_running_container_without_address_is_a_problem_that_says_so():
    lone = raw(3, "lone")
    lone["NetworkSettings"]["Networks"] = {"none": {"NetworkID": "n", "IPAddress": ""}}
    problems = seen(lone, raw(4, "bare"))
    assert problems["lone"].problems[0].message == "it has none, so it gets no requests: its network is none"
    assert problems["bare"].problems[0].message == "it has none, so it gets no requests: no address on any network"
    nowhere = placed(inspect.container(raw(5, "x", mode="host"), "e"), Surroundings(), {})
    assert nowhere.problems[0].message.endswith("host network, but its engine's address is not known")


def far(*containers, own="", here=(), attached=(), address="192.0.2.5", networks=NETWORKS):
    """Containers by name, as listed by a view of an engine on another host."""
    view = View(own)
    view.engine = Engine(id="e", name="box", host="tcp://192.0.2.5:2375", address=address, remote=True)
    view.set_networks(networks, tuple(map(ipaddress.ip_address, here)), attached)
    for each in containers:
        view.put(inspect.container(each, "e"))
    listing = view.listing()
    return {c.name: c for c in listing.containers}, listing.engine


def test_a_network_that_is_made_here_later_takes_its_addresses_at_once():
    view = View(OWN)
    view.engine = Engine(id="e", name="box", host="tcp://192.0.2.5:2375", address="192.0.2.5", remote=True)
    view.set_networks(NETWORKS, (), ("192.0.2.0/24",))
    view.put(inspect.container(raw(2, "web", SHOP), "e"))
    (web,) = view.listing().containers
    assert not web.obstacle.certain
    assert not view.move(("192.0.2.0/24",))
    assert view.move(("10.5.0.0/16", "192.0.2.0/24"))
    (web,) = view.listing().containers
    assert web.obstacle.certain


def published(raw, **bindings):
    ports = {f"{key.lstrip('p')}/tcp": [{"HostIp": at, "HostPort": port} for at, port in each] for key, each in bindings.items()}
    raw["NetworkSettings"]["Ports"] = ports
    return raw


def test_a_bridge_of_another_host_is_not_the_one_with_the_same_gateway_here():
    found, _ = far(raw(1, "web", SHOP), here=("10.5.0.1",), attached=("192.0.2.0/24",))
    assert found["web"].obstacle.why == "Haystack has no address on its network shop"
    assert "publish the port there (docker run --publish)" in found["web"].obstacle.remedy
    assert found["web"].remote


@pytest.mark.parametrize("attached", ["10.5.0.0/16", "10.0.0.0/8", "10.5.1.0/24"])
def test_its_addresses_are_others_where_haystack_is_on_a_network_that_has_them(attached):
    found, _ = far(raw(2, "web", SHOP), own=OWN, attached=(attached, "fd00::/64"))
    assert found["web"].obstacle.certain
    assert attached in found["web"].obstacle.why


def test_an_overlay_that_both_hosts_are_on_is_no_obstacle():
    found, _ = far(raw(1, "web", MESH), here=("10.7.0.9",), attached=("10.7.0.0/16",))
    assert found["web"].obstacle is None


def test_published_ports_are_at_the_host_where_they_are_bound_to_all_addresses():
    raw_web = published(
        raw(1, "web", SHOP), p80=[("0.0.0.0", "8081"), ("::", "8081")], p81=[("192.0.2.7", "8082")], p82=[("127.0.0.1", "8083")],
        p83=[("", "8084")], p84=[("nonsense", "8085"), ("0.0.0.0", "x"), (None, None)],
    )  # fmt: skip
    found, _ = far(raw_web)
    assert [(p.port, p.place) for p in found["web"].published] == [(80, "192.0.2.5:8081"), (81, "192.0.2.7:8082"), (83, "192.0.2.5:8084")]
    assert far(raw_web, address=None)[0]["web"].published[0].place == "192.0.2.7:8082"
    assert seen(raw_web)["web"].published == ()


def test_tasks_of_a_swarm_are_at_the_ports_of_haystacks_own_node_too():
    raw_task, raw_web = (published(raw(number, name, SHOP), p80=[("0.0.0.0", "8081")]) for number, name in ((2, "task"), (3, "web")))
    raw_task["Config"]["Labels"] = {"com.docker.swarm.service.name": "task"}
    found, _ = far(raw(1, "front", SHOP), raw_task, raw_web, own=OWN)
    assert [p.place for p in found["task"].published] == ["192.0.2.5:8081"]
    assert not found["task"].remote
    assert found["web"].published == ()


def test_what_is_bound_to_all_addresses_of_one_kind_is_at_an_engine_of_that_kind_alone():
    raw_web = published(
        raw(1, "web", SHOP), p80=[("0.0.0.0", "8081"), ("::", "9081")], p81=[("0.0.0.0", "8082")], p82=[("::", "8083")], p83=[("", "8084")]
    )
    places = {
        address: [p.place for p in far(raw_web, address=address)[0]["web"].published] for address in ("192.0.2.5", "2001:db8::5", None)
    }
    assert places == {
        "192.0.2.5": ["192.0.2.5:8081", "192.0.2.5:8082", "192.0.2.5:8084"],
        "2001:db8::5": ["[2001:db8::5]:9081", "[2001:db8::5]:8083"],
        None: [],
    }


def test_one_on_the_network_of_another_has_that_ones_published_ports():
    other = published(raw(1, "front", SHOP), p80=[("0.0.0.0", "8081")])
    sharer = published(raw(2, "side", mode=f"container:{other['Id']}"))
    found, _ = far(other, sharer)
    assert found["side"].published == found["front"].published != ()


def test_an_engine_that_has_haystacks_own_container_is_on_its_host():
    found, engine = far(raw(1, "front", SHOP), raw(2, "web", SHOP), own=OWN)
    assert not engine.remote
    assert not found["web"].remote
    assert far(raw(2, "web", SHOP), own=OWN)[1].remote


ROUTES = """Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010011AC\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
eth1\t0000050A\t0100000A\t0003\t0\t0\t0\t0000FFFF\t0\t0\t0
"""
NOBODY = "0" * 32


def route6(to, length, by=NOBODY, device="eth0"):
    return f"{to:0<32} {length:02x} {NOBODY} 00 {by} 00000100 00000001 00000000 00000001 {device:>8}"


ROUTES6 = "\n".join([route6("fd", 64), route6("fe80", 64), route6("", 0, f"{'fd':0<31}1"), route6(f"{1:032x}", 128, device="lo")])


@pytest.fixture
def proc(tmp_path):
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "route").write_text(ROUTES)
    (tmp_path / "net" / "ipv6_route").write_text(ROUTES6)
    return tmp_path


def test_the_networks_here_are_those_without_a_router_before_them(proc):
    assert own_place.attached(proc) == ("172.17.0.0/16", "fd00::/64")


@pytest.mark.parametrize(
    ("host", "address", "inside", "here"),
    [
        ("unix:///var/run/docker.sock", "127.0.0.1", False, True),
        ("tcp://127.0.0.1:2375", "127.0.0.1", False, True),
        ("tcp://172.17.0.1:2375", "172.17.0.1", True, True),
        ("tcp://172.17.0.1:2375", "172.17.0.1", False, False),
        ("tcp://192.0.2.5:2375", "192.0.2.5", True, False),
        ("ssh://me@192.0.2.5", "192.0.2.5", True, False),
        ("tcp://nowhere:2375", None, True, False),
        ("ssh://me@behind.a.jump", None, True, False),
        ("unix:///var/run/docker.sock", None, True, True),
    ],
)
def test_which_engine_is_on_the_host_that_haystack_is_on(proc, host, address, inside, here):
    assert own_place.is_here(host, address, inside, proc) is here

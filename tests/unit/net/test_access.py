"""Who may ask: what the settings take, and that a look-up knows of an address what the networks say."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_network
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haystack._fast.net import networks
from haystack._fast.net.networks import Networks
from haystack.loop.turns import STRETCH, at_once
from haystack.model.records import Network
from haystack.net import access
from haystack.net.rights import Right
from tests.fakes.effort import calls

PUBLIC = (
    "8.8.8.8",
    "203.0.113.5",
    "100.64.0.1",
    "172.32.0.1",
    "192.169.0.1",
    "2001:db8::5",
    "::ffff:203.0.113.5",
    "fec0::1",
    "64:ff9b::a00:1",
)
PRIVATE = (
    *("127.0.0.1", "127.9.9.9", "10.0.0.0", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.1.1"),
    *("::1", "fd12::1", "fc00::", "fe80::1", "fe80::1%eth0", "::ffff:10.1.2.3", "::ffff:7f00:1"),
)


def policy(**given: object) -> SimpleNamespace:
    default = {"allow": access.INSIDE, "admin_allow": access.Allowed(), "dns_recursion": access.Allowed()}
    default |= {"trusted_proxies": (), "proxy_protocol": ()}
    return SimpleNamespace(**default | {name: access.read(text) for name, text in given.items()})


def looked(table: access.Table, address: object) -> int | None:
    return Networks(*table).find(str(address))


def test_both_sides_mean_the_same_by_each_right() -> None:
    assert {right.name: right.value for right in Right} == networks.RIGHTS


@pytest.mark.parametrize("address", PRIVATE)
def test_what_is_private_is_inside(address: str) -> None:
    assert looked(access.table(policy()), address) & Right.INSIDE


@pytest.mark.parametrize("address", PUBLIC)
def test_what_is_public_or_a_carriers_is_not(address: str) -> None:
    assert looked(access.table(policy()), address) == 0


@pytest.mark.parametrize(
    "text", ["", "10.0.0", "10.0.0.256", "010.0.0.1", "1.2.3.4:80", "[::1]", "::1\0", "unknown", "_hidden", "é", "1" * 200, "1.2.3.4%eth0"]
)
def test_what_is_no_address_is_nobody(text: str) -> None:
    assert looked(access.table(policy(allow="any")), text) is None


def test_every_address_is_any_bodys() -> None:
    table = access.table(policy(allow="any"))
    assert all(
        looked(table, address) & Right.INSIDE
        for address in (*PUBLIC, *PRIVATE, "0.0.0.0", "255.255.255.255", "::", "f" + "f:" * 7 + "ffff")
    )


def test_off_is_nobody_and_networks_alone_are_not_the_private_ones() -> None:
    assert not any(looked(access.table(policy(allow="off")), address) & Right.INSIDE for address in (*PUBLIC, *PRIVATE))
    table = access.table(policy(allow="203.0.113.0/24, 2001:db8::5"))
    assert [address for address in (*PUBLIC, *PRIVATE) if looked(table, address) & Right.INSIDE] == [
        "203.0.113.5",
        "2001:db8::5",
        "::ffff:203.0.113.5",
    ]
    table = access.table(policy(allow="private,203.0.113.5"))
    assert looked(table, "203.0.113.5") & looked(table, "10.0.0.1") & Right.INSIDE
    assert not looked(table, "203.0.113.6")


def test_an_ipv4_network_in_ipv6s_clothes_is_the_ipv4_network() -> None:
    table = access.table(policy(allow="::ffff:203.0.113.0/120"))
    assert looked(table, "203.0.113.5") == looked(table, "::ffff:203.0.113.5") == Right.INSIDE


def engine(*subnets: str, driver: str = "bridge", gateway: str | None = None) -> Network:
    return Network(id="n", name="n", engine="e", driver=driver, subnets=subnets, gateway=gateway)


def test_the_engines_own_networks_are_private_whatever_their_range() -> None:
    table = access.table(policy(), [engine("198.51.100.0/24", "2001:db8:1::/64", "nonsense")])
    assert looked(table, "198.51.100.7") == looked(table, "2001:db8:1::7") == Right.INSIDE | Right.NEAR
    assert looked(table, "198.51.101.7") == 0
    assert looked(access.table(policy(allow="10.0.0.0/8"), [engine("198.51.100.0/24")]), "198.51.100.7") == Right.NEAR


@pytest.mark.parametrize(
    ("subnet", "driver"), [("198.51.100.0/24", "macvlan"), ("198.51.100.0/24", "ipvlan"), ("0.0.0.0/0", "bridge"), ("::/0", "x")]
)
def test_a_network_of_others_is_none_of_the_engines_own(subnet: str, driver: str) -> None:
    table = access.table(policy(), [engine(subnet, driver=driver)])
    assert looked(table, "198.51.100.7") == looked(table, "2001:db8::1") == 0


def test_a_gateway_is_known_unless_it_is_this_machines_own() -> None:
    shop = engine("10.9.0.0/16", gateway="10.9.0.1")
    assert looked(access.table(policy(), [shop]), "10.9.0.1") == Right.INSIDE | Right.NEAR | Right.GATEWAY
    assert looked(access.table(policy(), [shop], frozenset({"10.9.0.1"})), "10.9.0.1") == Right.INSIDE | Right.NEAR


def test_whoever_comes_over_swarms_routing_mesh_may_be_hidden_by_it() -> None:
    """Its `ingress` network puts the address of a node there in the place of the client's, and no gateway."""
    mesh = Network(id="n", name="ingress", engine="e", driver="overlay", subnets=("10.0.0.0/24",), gateway="10.0.0.1", ingress=True)
    table = access.table(policy(), [mesh], frozenset({"10.0.0.9"}))
    assert looked(table, "10.0.0.2") == looked(table, "10.0.0.1") == Right.INSIDE | Right.NEAR | Right.GATEWAY
    assert looked(table, "10.0.1.2") == Right.INSIDE


@pytest.mark.parametrize("text", ["any,10.0.0.0/8", "private,off", "10.0.0.0/33", "everybody", ",", "10.0.0.1-10.0.0.9", "localhost"])
def test_what_is_none_of_it_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"combined with other values|no network is given|neither a network nor an address"):
        access.read(text)


@pytest.mark.parametrize("text", ["private", "any", "off", "10.0.0.0/8", "private,10.0.0.0/8,2001:db8::/32"])
def test_what_was_read_is_shown_as_it_was_written(text: str) -> None:
    assert str(access.read(text.upper())) == text
    assert access.read(access.read(text)) == access.read(text)


v4 = st.builds(lambda a, n: ip_network((a, n), strict=False), st.integers(0, 2**32 - 1), st.integers(0, 32))
v6 = st.builds(lambda a, n: ip_network((a, n), strict=False), st.integers(0, 2**128 - 1), st.integers(0, 128))
crowded = st.builds(lambda a, n: ip_network((a << 24, n), strict=False), st.integers(0, 3), st.integers(0, 32))


@given(
    st.lists(st.tuples(st.one_of(v4, v6, crowded), st.sampled_from(list(Right)))),
    st.lists(st.one_of(st.integers(0, 2**32 - 1).map(IPv4Address), st.integers(0, 2**128 - 1).map(IPv6Address))),
)
def test_a_look_up_knows_what_the_networks_say(rows: list[tuple[access.Range, int]], more: list[IPv4Address | IPv6Address]) -> None:
    """At random addresses, and at the ends of each network and beside them."""
    table = at_once(access.flattened([(access.span(network), int(right)) for network, right in rows]))
    edges = [network[at] for network, _ in rows for at in (0, -1)]
    beside = [type(a)(int(a) + step) for a in edges for step in (-1, 1) if 0 <= int(a) + step < 2**a.max_prefixlen]
    for address in (*edges, *beside, *more):
        if isinstance(address, IPv6Address) and address.ipv4_mapped:
            continue
        said = 0
        for network, right in rows:
            said |= right if address in network else 0
        assert looked(table, address) == said


def test_no_network_at_all_is_nobody() -> None:
    assert looked(at_once(access.flattened([])), "10.0.0.1") == looked(Networks() and access.Table(b"", b""), "::1") == 0


def test_a_table_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="no table"):
        Networks(b"123", b"")


def subnets(count: int) -> dict[str, Network]:
    found = (
        engine(f"{20 + n // 65536}.{n // 256 % 256}.{n % 256}.0/28", gateway=f"{20 + n // 65536}.{n // 256 % 256}.{n % 256}.1")
        for n in range(count)
    )
    return {str(n): network for n, network in enumerate(found)}


def test_a_table_of_many_networks_is_made_in_turns_none_longer_than_with_few() -> None:
    """Calls between two yields, and not the time: that is the same on a busy machine. To sort a run is one call, of a known length."""
    access.table(policy(), subnets(4_000).values())  # what texts mean is known from then on

    def longest(count: int) -> int:
        acl = access.Acl(policy())
        work, ended, most = acl.follow(subnets(count)), False, 0

        def step() -> None:
            nonlocal ended
            ended = next(work, acl) is acl

        while not ended:
            most = max(most, calls(step))
        return most

    assert longest(4_000) <= max(longest(400), STRETCH * 20)


def test_readers_are_told_of_a_table_once_it_is_whole_and_not_where_it_is_the_same() -> None:
    acl, told = access.Acl(policy()), []
    acl.subscribe(told.append)
    before = acl.table
    work = acl.follow({"n": engine("198.51.100.0/24")})
    next(work)
    assert acl.table is before
    list(work)
    assert acl.table == access.table(policy(), [engine("198.51.100.0/24")])
    assert told == [before, acl.table]
    list(acl.follow({"m": engine("198.51.100.0/24")}))
    assert len(told) == 2


def test_networks_are_read_again_where_the_making_of_their_table_failed() -> None:
    local = iter([frozenset[str](), OSError("no /proc"), frozenset[str]()])

    def addresses() -> frozenset[str]:
        found = next(local)
        if isinstance(found, OSError):
            raise found
        return found

    acl, networks = access.Acl(policy(), addresses), {"n": engine("198.51.100.0/24")}
    with pytest.raises(OSError, match="no /proc"):
        list(acl.follow(networks))
    list(acl.follow(networks))
    assert looked(acl.table, "198.51.100.7")

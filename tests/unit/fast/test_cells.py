"""Cells and the routes over them: addresses, counters, and what a swap of the table leaves standing."""

from __future__ import annotations

import pytest

from haystack._fast import pick
from haystack._fast.cells import Cell, Member
from haystack.proxy.channel import EndpointRow, ServiceRow, Table
from haystack.proxy.table import Routes

A, B = EndpointRow("a:80/tcp", "10.0.0.1", 80, 100), EndpointRow("b:80/tcp", "10.0.0.2", 80, 100)


def service(name, *endpoints, alt=None, hosts=()):
    both = (endpoints, endpoints if alt is None else alt)
    return ServiceRow(name=name, hosts=(name, *hosts), balance="random", sticky="", timeout_ms=1000, listeners=both)


@pytest.fixture
def routes():
    return Routes((80, 8080))


def build(routes, *services):
    return routes.build(Table(1, services))


@pytest.mark.parametrize(
    ("address", "label"),
    [(("10.0.0.1", 80), "10.0.0.1:80"), (("fe80::1", 8080), "[fe80::1]:8080"), ("/run/x.sock", "/run/x.sock")],
)
def test_a_cell_is_shown_by_its_address(address, label):
    cell = Cell("key", address)
    assert (cell.key, cell.label, cell.address) == ("key", label, address)
    assert (cell.in_flight, cell.failures, cell.pooled, cell.gone) == (0, 0, 0, False)


@pytest.mark.parametrize("address", [("web", 80), ("10.0.0.256", 80), ("", 80), ("::x", 80), "", "/" * 108])
def test_what_is_no_address_makes_no_cell(address):
    with pytest.raises(ValueError, match=r"address|socket"):
        Cell("key", address)


def test_a_new_member_has_nothing_to_report():
    member = Member(Cell("a", ("10.0.0.1", 80)), "web", 80)
    assert (member.take_new(), member.requests) == (0, 0)


def test_a_picker_needs_a_weight_for_each_member():
    with pytest.raises(ValueError, match="1 members can't have 0 weights"):
        pick.make("random", [Member(Cell("a", ("10.0.0.1", 80)), "web", 80)], [])


def test_a_route_for_every_host_on_every_listener(routes):
    first, second = build(routes, service("web", A, alt=(B,), hosts=("www",)))
    assert set(first) == set(second) == {b"web", b"www"}
    assert first[b"web"] is first[b"www"]
    assert [m.cell.label for m in first[b"web"].members] == ["10.0.0.1:80"]
    assert [m.cell.label for m in second[b"web"].members] == ["10.0.0.2:80"]
    assert [m.port for m in (*first[b"web"].members, *second[b"web"].members)] == [80, 8080]


def test_an_endpoint_has_one_cell_whoever_serves_by_it(routes):
    first, second = build(routes, service("web", A), service("api", A))
    cells = {id(table[host].members[0].cell) for table in (first, second) for host in (b"web", b"api")}
    members = {id(table[host].members[0]) for table in (first, second) for host in (b"web", b"api")}
    assert (len(cells), len(members)) == (1, 4)


def test_cells_and_members_survive_a_swap(routes):
    old = build(routes, service("web", A, B))[0][b"web"].members
    new = build(routes, service("web", B, A))[0][b"web"].members
    assert new == [old[1], old[0]]
    assert [m.cell for m in new] == [old[1].cell, old[0].cell]
    assert not any(m.cell.gone for m in new)


def test_another_address_is_another_cell(routes):
    old = build(routes, service("web", A))[0][b"web"].members[0].cell
    new = build(routes, service("web", EndpointRow(A.id, "10.0.0.9", 80, 100)))[0][b"web"].members[0].cell
    assert (old.gone, new.gone, new.address) == (True, False, ("10.0.0.9", 80))


def test_what_leaves_the_table_pools_nothing(routes):
    old = build(routes, service("web", A, B))[0][b"web"].members
    build(routes, service("web", B))
    assert [m.cell.gone for m in old] == [True, False]


def test_leaving_members_are_counted_once_more(routes):
    build(routes, service("web", A))
    build(routes)
    assert len(routes._leaving) == 2
    assert routes.take_requests() == ()
    assert not routes._leaving


def test_who_comes_back_while_it_drains_is_whole_again(routes):
    old = build(routes, service("web", A))[0][b"web"].members[0]
    build(routes)
    new = build(routes, service("web", A), service("api", A))[0]
    assert new[b"web"].members == [old]
    assert new[b"api"].members[0].cell is old.cell
    assert not old.cell.gone
    assert not routes._leaving


def test_who_comes_back_later_is_new(routes):
    old = build(routes, service("web", A))[0][b"web"].members[0]
    build(routes)
    routes.take_requests()
    new = build(routes, service("web", A))[0][b"web"].members[0]
    assert new is not old
    assert new.cell is not old.cell

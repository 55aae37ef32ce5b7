"""The table of who asked for what: by name and by address, bounded, and nothing of strangers."""

import pytest

from haystack._fast.dns.cache import Cache
from haystack._fast.dns.responder import KIND_NAMES, Responder
from haystack._fast.dns.rotation import Rotation
from haystack._fast.dns.zone import Zone
from haystack.dns import wire
from haystack.net.rights import Right

ONE, OTHER, SIX = bytes((10, 0, 0, 1)), bytes((10, 0, 0, 2)), bytes((0xFD, *(0,) * 14, 1))
PLACES = 2048


@pytest.fixture
def responder():
    return Responder(Zone(wire.name("haystack"), 5), Cache(0), Rotation())


def ask(responder, name, client, qtype=wire.A, rights=Right.INSIDE):
    responder.ask(wire.question(wire.name(name), qtype), client=client, rights=int(rights))


def told(responder, **which):
    return sorted((wire.text(name), client, kinds, times) for name, client, kinds, _, times in responder.askers.told(**which))


def bits(*types):
    return sum(1 << KIND_NAMES.index(each) for each in types)


def test_nobody_has_asked(responder):
    assert responder.askers.told() == []


def test_a_client_s_questions_about_a_name_are_one_row(responder):
    for qtype in (wire.A, wire.AAAA, wire.A):
        ask(responder, "a.example", ONE, qtype)
    assert told(responder) == [("a.example", ONE, bits("A", "AAAA"), 3)]


def test_by_name_and_by_address(responder):
    for name, client in (("a.example", ONE), ("b.example", ONE), ("a.example", OTHER), ("a.example", SIX)):
        ask(responder, name, client)
    assert [row[1] for row in told(responder, name=wire.name("a.example"))] == [ONE, OTHER, SIX]
    assert [row[0] for row in told(responder, clients={ONE})] == ["a.example", "b.example"]
    assert [row[:2] for row in told(responder, clients={SIX, OTHER})] == [("a.example", OTHER), ("a.example", SIX)]
    assert told(responder, clients=()) == []


def test_upper_case_is_the_same_name(responder):
    ask(responder, "a.example", ONE)
    responder.ask(wire.question(b"\1A\7EXAMPLE\0", wire.A), client=ONE)
    assert told(responder) == [("a.example", ONE, bits("A"), 2)]


def test_the_longest_name_and_the_root(responder):
    longest = ".".join(["x" * 63] * 3 + ["y" * 61])
    for name in (longest, "."):
        ask(responder, name, ONE)
    assert [row[0] for row in told(responder)] == ["", longest]


def test_it_grows_no_further_and_the_latest_is_there(responder):
    for number in range(3 * PLACES):
        ask(responder, f"n{number}.example", ONE)
    assert PLACES // 2 < len(told(responder)) <= PLACES
    assert told(responder, name=wire.name(f"n{3 * PLACES - 1}.example"))


def test_one_that_may_nothing_is_not_noted(responder):
    """Their addresses may be forged, and would have others forgotten."""
    ask(responder, "a.example", ONE, rights=Right(0))
    ask(responder, "a.example", b"")
    assert told(responder) == []
    ask(responder, "a.example", ONE, rights=Right.RECURSION)
    assert len(told(responder)) == 1

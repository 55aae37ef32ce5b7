"""`who`: whom a word means, and what all workers say together."""

import json

import pytest

from haystack.console import askers
from haystack.console.askers import since
from haystack.console.command import Context
from haystack.console.shell import run
from haystack.dns import wire
from haystack.dns.messages import AskerRow
from haystack.loop.turns import at_once
from haystack.model.records import Attachment, Container
from tests.fakes.state import ID, NAME, picture, state

WEB, OTHER, FAR = bytes((172, 17, 0, 2)), bytes((10, 9, 0, 2)), bytes((192, 0, 2, 9))


def subject(word, shown=None):
    return at_once(askers.subject(shown or state(), word))


def row(name, client, ago=1.0, times=1, types=("A",)):
    return AskerRow(wire.name(name), client, types, ago, times)


@pytest.mark.parametrize("word", ["web", ID[:12], ID[:4], ID])
def test_a_container_is_meant_by_name_or_id_and_by_its_addresses_on_all_networks(word):
    found = subject(word)
    assert (found.title, found.name, found.clients) == ("web", None, (OTHER, WEB))


def test_an_address():
    assert subject("192.0.2.9").clients == (FAR,)
    assert subject("::ffff:192.0.2.9").title == "192.0.2.9"


@pytest.mark.parametrize("word", ["web.", "WEB.", "nosuch", "aba"])
def test_anything_else_is_a_name(word):
    found = subject(word)
    assert (found.clients, found.name) == (None, wire.name(word))


def test_the_short_name_of_a_service_is_its_name():
    assert subject("nginx").name == wire.name(NAME)


def test_a_word_that_can_be_no_name_is_nobody():
    assert subject("x" * 64).clients == ()
    assert run(state(), ["who", "x" * 64]).status == 1


def test_a_container_on_the_host_s_network_has_no_address_of_its_own():
    shown = picture()
    shown.containers["cd" * 32] = Container(
        id="cd" * 32, name="agent", engine="E", network="host", address="172.17.0.2", attachments=(Attachment(network="host"),)
    )
    assert subject("agent", state(snapshot=shown)).clients == ()
    (found,) = at_once(askers.told(state(snapshot=shown), [row("a", WEB)]))
    assert found.containers == ("web",)


def test_the_rows_of_all_workers_are_one_and_the_latest_comes_first():
    rows = [row("a", FAR, 9.0, 2), row("a", WEB, 7.0, 2), row("a", WEB, 5.0, 4, ("AAAA",)), row("a", OTHER, 6.0), row("a", WEB, 8.0)]
    found = at_once(askers.told(state(), rows))
    assert [(each.containers, each.address, each.types, each.ago, each.times) for each in found] == [
        (("web",), "172.17.0.2", ("A", "AAAA"), 5.0, 7),
        (("web",), "10.9.0.2", ("A",), 6.0, 1),
        ((), "192.0.2.9", ("A",), 9.0, 2),
    ]


def test_who_called_a_service_is_a_row_of_its_own():
    rows = [
        row("web", WEB, ago=3.0, times=2),
        row("web", WEB, types=("HTTP",)),
        row("web", WEB, ago=9.0, types=("HTTP",)),
    ]
    found = [(asked.types, asked.ago, asked.times) for asked in at_once(askers.told(state(), rows))]
    assert found == [(("HTTP",), 1.0, 2), (("A",), 3.0, 2)]


def test_who_asked_for_a_name():
    result = run(state(), ["who", "a.example"], Context(heard=[row("a.example", WEB, 75.0), row("a.example", FAR)]))
    assert result.status == 0
    first, second = (line.split() for line in result.text.splitlines()[2:])
    assert first == ["-", "192.0.2.9", "A", "1", "s", "ago", "1"]
    assert second == ["web", "172.17.0.2", "A", "1", "min", "ago", "1"]


def test_what_a_container_asked_for():
    result = run(state(), ["who", "web"], Context(heard=[row("a.example", WEB, types=("A", "MX"), times=3)]))
    assert result.text.splitlines()[2].split() == ["a.example", "A,", "MX", "1", "s", "ago", "3", "172.17.0.2"]


def test_who_says_that_nobody_has_asked():
    assert (run(state(), ["who", "a.example"]).status, run(state(), ["who", "a.example"]).text) == (
        1,
        "nobody has asked for a.example lately",
    )
    assert run(state(), ["who", "web"]).text == "web has asked for nothing lately"


def test_who_as_json():
    result = run(state(), ["who", "a.example", "--json"], Context(heard=[row("a.example", WEB)]))
    assert json.loads(result.text) == [
        {"name": "a.example", "containers": ["web"], "address": "172.17.0.2", "types": ["A"], "ago": 1.0, "times": 1}
    ]
    assert (run(state(), ["who", "a.example", "--json"]).status, run(state(), ["who", "a.example", "--json"]).text) == (0, "[]")
    assert run(state(), ["who", "a.example", "--jsn"]).status == 2


def test_a_name_cannot_move_the_cursor():
    evil = AskerRow(b"\3a\x1b[\0", FAR, ("A",), 1.0, 1)
    for words in (["who", "192.0.2.9"], ["who", "192.0.2.9", "--json"]):
        assert "\x1b" not in run(state(), words, Context(heard=[evil])).text


@pytest.mark.parametrize(("seconds", "told"), [(0.4, "0 s ago"), (59, "59 s ago"), (61, "1 min ago"), (7300, "2 h ago"), (1e6, "11 d ago")])
def test_how_long_ago(seconds, told):
    assert since(seconds) == told

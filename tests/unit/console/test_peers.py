"""`peers`: other Haystacks, and what a person is told first of one that is out."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Sequence

from haystack.console import welcome
from haystack.console.shell import completions, run
from haystack.dns.peers import Standing
from haystack.loop.turns import at_once
from haystack.views.state import State
from tests.fakes.state import state

AT = 1_800_000_000.0
UP = Standing(name="node-2", address="fd00::3", port=80, up=True, since=AT, answered=AT + 60, error="does not answer", names=12)
OUT = Standing(name="10.0.0.3:8080", address="10.0.0.3", port=8080, since=AT, answered=AT - 60, error="does not accept")
NEW = Standing(name="10.0.0.4", since=AT)
UNHEARD = Standing(name="10.0.0.5", since=AT, error="does not answer")


def beside(*peers: Standing) -> State:
    found: Sequence[Standing] = peers
    return dataclasses.replace(state(), peers=lambda: found)


def test_each_is_a_row() -> None:
    result = run(beside(UP, OUT, NEW), ["peers"])
    head, _, *rows = (re.split(" {2,}", line.strip()) for line in result.text.splitlines())
    assert (result.status, head) == (0, ["PEER", "ASKED AT", "STATE", "SINCE", "LAST ANSWER", "NAMES", "LAST ERROR"])
    assert rows == [
        ["node-2", "[fd00::3]:80", "up", "2027-01-15 08:00:00Z", "2027-01-15 08:01:00Z", "12", "does not answer"],
        ["10.0.0.3:8080", "10.0.0.3:8080", "out", "2027-01-15 08:00:00Z", "2027-01-15 07:59:00Z", "0", "does not accept"],
        ["10.0.0.4", "-", "out", "2027-01-15 08:00:00Z", "-", "0", "-"],
    ]


def test_scripts_get_what_the_api_has() -> None:
    told = json.loads(run(beside(UP, OUT, NEW), ["peers", "--json"]).text)
    assert told[0] == {
        "name": "node-2", "address": "fd00::3", "port": 80, "up": True, "since": AT, "names": 12, "last_error": "does not answer",
    }  # fmt: skip
    assert told[2] == {"name": "10.0.0.4", "address": None, "port": None, "up": False, "since": AT, "names": 0, "last_error": None}
    assert [each["name"] for each in json.loads(run(beside(UP, OUT), ["peers", "8080", "--json"]).text)] == ["10.0.0.3:8080"]
    assert json.loads(run(state(), ["peers", "--json"]).text) == []


def test_where_there_are_none_it_says_how_there_would_be() -> None:
    result = run(state(), ["peers"])
    assert (result.status, result.text.startswith("no peers: HAYSTACK_PEERS names other Haystacks")) == (0, True)


def test_it_is_completed_and_found_by_what_others_call_it() -> None:
    assert "peers" in completions(state(), [])
    assert run(state(), ["cluster"]).text.endswith("did you mean peers?")


def test_a_person_is_told_first_of_one_that_is_out_and_this_one_is_well_all_the_same() -> None:
    made = beside(UP, OUT, UNHEARD)
    assert at_once(welcome.lines(made))[3] == (
        "problem: peer 10.0.0.3:8080 is out: does not accept (and 2 more: services, containers, engines and peers name them)"
    )
    assert made.lost_peers()[1] == "peer 10.0.0.5 has not answered yet: does not answer"
    assert (made.wrong(), made.ailing(), made.unready()) == ([], [], [])
    assert not beside(UP, NEW).lost_peers()

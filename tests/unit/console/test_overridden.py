"""What operators have left is shown: in the greeting, and in the list of `drain`."""

from __future__ import annotations

import json
import re
import time
from types import SimpleNamespace
from typing import Any

import pytest

from haystack.console import welcome
from haystack.console.command import Context
from haystack.console.shell import completions, run
from haystack.loop.turns import at_once
from haystack.model.overrides import Overrides
from haystack.model.services import Override
from tests.fakes.state import ENDPOINT, ID, NAME, picture, state

EVIL = "a\x1b]0;owned\x07\u202eb"


def override(target: str, name: str, **changes: Any) -> Override:
    scope = "service" if target == NAME else "endpoint" if ":" in target else "container"
    usual = {"scope": scope, "container": ID, "by": "eve@desk", "at": time.time() - 90, "why": "upgrade"}
    return Override(**{**usual, **changes}, target=target, name=name)


def held(*some: Override) -> Any:
    """A state in which these hold."""
    made = state()
    overrides = Overrides(
        drains={o.target: o for o in some if o.weight is None}, weights={o.target: o for o in some if o.weight is not None}
    )
    shown = SimpleNamespace(**{**vars(picture()), "overrides": overrides})
    made.registry.snapshot = shown
    made.operator.overrides = overrides
    return made


SOME = (
    override(ENDPOINT.id, "web:80", until=time.time() + 3600),
    override(ENDPOINT.id, "web:80", weight=7, kept=True),
    override("ff" * 32, "old", container="ff" * 32, why=""),
    override(NAME, "nginx", container="", why=EVIL, by=EVIL),
)


def test_the_greeting_counts_them() -> None:
    assert "out;" in at_once(welcome.lines(state()))[1]
    assert "out, 1 drain or weight of operators;" in at_once(welcome.lines(held(SOME[0])))[1]
    assert "out, 4 drains and weights of operators;" in at_once(welcome.lines(held(*SOME)))[1]


def test_drain_alone_lists_them() -> None:
    text = run(held(*SOME), ["drain"]).text
    rows = [line.split() for line in text.splitlines()[2:]]
    assert [row[0] for row in rows] == ["nginx", "old", "web:80", "web:80"]
    assert not set(text) & set("\x1b\x07\u202e")
    assert "old (gone)" in text
    assert "weight 7" in text
    assert re.search(r"in [0-9.]+ (min|h) ", text)
    assert run(state(), ["drain"]).text == "nothing is drained, and no weight is changed"


@pytest.mark.parametrize("width", [40, 80, 100])
def test_the_list_fits_the_terminal(width: int) -> None:
    assert max(map(len, run(held(*SOME), ["drain"], Context(width=width)).text.splitlines())) <= width


def test_json_for_scripts() -> None:
    found = json.loads(run(held(*SOME), ["drain", "--json"]).text)
    assert {(each["kind"], each["scope"]) for each in found} == {
        ("drain", "endpoint"), ("weight", "endpoint"), ("drain", "container"), ("maintenance", "service"),
    }  # fmt: skip
    assert json.loads(run(state(), ["drain", "--json"]).text) == []


def test_what_is_drained_completes_undrain() -> None:
    assert completions(held(*SOME), ["undrain"])[:3] == ["nginx", "old", "web:80"]

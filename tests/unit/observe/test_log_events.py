"""docs/logs.md has each event of the log with its level and its fields, and none that the code has not."""

from __future__ import annotations

import re

import pytest

from tests.fakes import events
from tests.fakes.events import Call

STYLE = re.compile(r"[a-z]+\.[a-z]+(_[a-z]+)*")
LONE = {"ready"}  # what people and scripts wait for
CALLS = list(events.calls())
WRITES_ANY = ("haystack/observe/counted_lines.py", "haystack/observe/bursts.py")  # they write what others name


TOLD = [call for call in CALLS if not (call.event is None and call.where.startswith(WRITES_ANY))]


@pytest.mark.parametrize("call", TOLD, ids=lambda call: f"{call.where}:{call.event}")
def test_what_the_code_logs_stands_on_the_page(call: Call) -> None:
    assert call.event is not None, f"{call.where} logs what can't be read here: name the event in the call"
    assert call.event in LONE or STYLE.fullmatch(call.event), f"{call.where}: an event's name is NOUN.VERB, as service.up"
    page = events.written().get(call.event)
    assert page is not None, f"{call.where}: docs/logs.md lacks the event {call.event}"
    assert not call.level or call.level in page.levels, f"{call.where}: docs/logs.md has {call.event} at another level than {call.level}"
    assert call.fields <= page.fields, f"{call.where}: docs/logs.md lacks {sorted(call.fields - page.fields)} of {call.event}"
    if not call.open and not [c for c in CALLS if c.event == call.event and c != call]:
        assert call.fields == page.fields, f"{call.where}: docs/logs.md gives {call.event} fields that it has not"


def test_the_page_has_no_event_that_the_code_has_not() -> None:
    assert not events.written().keys() - {call.event for call in CALLS}

"""The shell's events and replay: what they show of the past, in which words, and nothing of it raw."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from haystack.console.command import Live
from haystack.console.commands import replay
from haystack.console.moments import dated
from haystack.console.shell import read, run
from haystack.model.reports import Outcome
from haystack.observe.history import Past
from haystack.observe.journal import Journal
from tests.fakes.state import ID, NAME, state

ESCAPE = "\x1b[2J\u202e\r\n"


def happened(*rows):
    """A state in whose journal these (kind, about, text, services, more) are."""
    made = state()
    for kind, about, text, *more in rows:
        services, fields = more[0] if more else (), more[1] if len(more) > 1 else {}
        made.journal.add(kind, about, text, services, **fields)
    return made


def outcome(**more):
    usual = {
        "time": time.time(), "worker": 0, "listener": "http:80", "client": "10.1.1.1:5", "method": "GET", "host": NAME, "target": "/x",
        "service": NAME, "candidates": ("172.17.0.2:80", "172.17.0.3:80"), "endpoint": "172.17.0.3:80", "status": 200, "total_ms": 12.3,
        "retried": "connection_terminated",
    }  # fmt: skip
    return Outcome(**usual | more)


KILL = (
    ("container.killed", "web", "was sent SIGKILL", [NAME], {"identity": ID[:12]}),
    ("endpoint.out", "web", "gets no more requests", [NAME], {"identity": ID[:12]}),
    ("container.died", "web", "its process ended", [NAME], {"identity": ID[:12], "detail": "exit status 137"}),
    ("operator.drain", "db", "drains", ["db.services.haystack"], {"by": "ann"}),
)


def test_events_are_told_in_order_with_all_that_the_shell_may_know():
    text = run(happened(*KILL), ["events"]).text
    lines = [line.split() for line in text.splitlines()[2:]]
    assert [line[1] for line in lines] == ["container.killed", "endpoint.out", "container.died", "operator.drain"]
    assert "its process ended (exit status 137)" in text
    assert "drains (by ann)" in text


@pytest.mark.parametrize("word", ["web", ID[:4], ID[:12], NAME, "nginx"])
def test_events_of_a_container_or_a_service_are_its_own(word):
    result = run(happened(*KILL), ["events", word, "--json"])
    assert [entry["kind"] for entry in json.loads(result.text)] == ["container.killed", "endpoint.out", "container.died"]


def test_events_in_json_have_all_fields():
    (entry,) = json.loads(run(happened(KILL[2]), ["events", "--json"]).text)
    assert entry.keys() == {"number", "time", "kind", "about", "id", "services", "text", "detail", "by", "more"}


def test_that_nothing_happened_is_said_and_how_far_back_is_known():
    made = state()
    assert run(made, ["events", "--since", "0"]).text == "nothing happened in the last 0 s"
    for word in ("web", "nginx", ID[:12], f"{ID[:12]}:80/tcp", "box"):
        result = run(made, ["events", word])
        assert (result.status, result.text) == (0, f"nothing happened to {word} in the last 10 min (known are the last 0 s)")
    assert run(made, ["events", "web", "--json"]).text == "[]"


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_events_of_a_name_that_nobody_has_or_had_are_an_error_that_names_the_nearest(more):
    result = run(state(), ["events", "wep", *more])
    assert (result.status, result.text) == (1, "no endpoint, container or service wep; did you mean web?")


def test_what_is_gone_and_known_is_no_unknown_name():
    now = [time.time() - 900]
    made = replace(state(), past=Past(Journal(lambda: now[0])))
    made.journal.add("container.died", "old", "its process ended", ["old.services.haystack"], identity="cd" * 6)
    now[0] = time.time()
    for word in ("old", "old.services.haystack", "cdcd"):
        assert (run(made, ["events", word]).status, run(made, ["events", word]).text[:16]) == (0, "nothing happened")


def test_events_longer_ago_are_left_out():
    now = [time.time() - 900]
    made = replace(state(), past=Past(Journal(lambda: now[0])))
    made.journal.add("service.up", "old", "is ready")
    now[0] = time.time()
    made.journal.add("service.up", "new", "is ready")
    assert [e["about"] for e in json.loads(run(made, ["events", "--json"]).text)] == ["new"]
    assert [e["about"] for e in json.loads(run(made, ["events", "--since", "1h", "--json"]).text)] == ["old", "new"]


def test_no_text_of_others_reaches_a_terminal_raw():
    made = happened(("container.died", f"w{ESCAPE}eb", f"ended{ESCAPE}", [f"x{ESCAPE}"], {"detail": ESCAPE, "by": ESCAPE}))
    made.past.outcomes.take([outcome(target=ESCAPE, host=ESCAPE, detail=ESCAPE, method=ESCAPE, service=f"s{ESCAPE}")], 0)
    made.past.attendance.come(f"s{ESCAPE}", "id", f"n{ESCAPE}", ["172.17.0.2:80"])
    for line in ("events", "events --json", "replay 1m", "replay 1m --json"):
        text = run(made, line.split()).text
        assert "died" in text
        assert not [c for c in text if c != "\n" and not c.isprintable()]


class Talk:
    """A session that keeps its lines, and stops the command after so many."""

    def __init__(self, most):
        self.lines, self.complaints, self.most = [], [], most
        self.full = asyncio.Event()

    async def line(self, text):
        self.lines.append(text)
        if len(self.lines) >= self.most:
            self.full.set()

    async def complain(self, text):
        self.complaints.append(text)


@pytest.mark.parametrize("form", ["", "--json"])
async def test_events_can_be_followed(form):
    made, talk = happened(*KILL), Talk(4)
    result = run(made, ["events", "nginx", "--follow", *form.split()])
    assert isinstance(result.effect, Live)
    task = asyncio.ensure_future(result.effect.run(talk))
    await asyncio.sleep(0)
    assert len(talk.lines) == 3
    made.journal.add("service.up", "db.services.haystack", "is ready", ["db.services.haystack"])
    made.journal.add("service.up", NAME, "is ready", [NAME])
    await asyncio.wait_for(talk.full.wait(), 5)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert made.journal._followers == set()
    if form:
        assert [json.loads(line)["kind"] for line in talk.lines][-1] == "service.up"
    else:
        assert talk.lines[0].endswith("container.killed web: was sent SIGKILL")
        assert talk.lines[-1].endswith(f"service.up {NAME}: is ready")
    assert talk.complaints == []


async def test_who_reads_too_slowly_is_told_what_is_missing():
    made, talk = state(), Talk(1000)
    task = asyncio.ensure_future(run(made, ["events", "--follow"]).effect.run(talk))
    await asyncio.sleep(0)
    for number in range(1003):
        made.journal.add("operator.drain", f"c{number}", "drains")
    await asyncio.wait_for(talk.full.wait(), 5)
    task.cancel()
    assert talk.complaints == ["3 events came faster than they were read, and are not shown"]


def test_a_replay_tells_the_kill_and_what_became_of_requests():
    made = state()
    made.past.attendance.come(NAME, ID, "web", ["172.17.0.2:80"])
    made.past.attendance.come(NAME, "cd" * 32, "web2", ["172.17.0.3:80"])
    first = datetime.now(UTC).isoformat()
    made.journal.add(*KILL[0][:4])
    made.past.attendance.leave(NAME, ID)
    made.past.outcomes.take(
        [outcome(), outcome(status=502, error="connection_terminated", method="POST", candidates=("172.17.0.2:80",))], 5
    )
    text = run(made, ["replay", first, "nginx"]).text
    assert f"in at the beginning of {NAME}: web, web2" in text
    assert "was sent SIGKILL" in text
    assert "GET /x    web (connection_terminated), then web2: 200 after 12 ms" in text
    assert "POST /x   web (connection_terminated): 502 connection_terminated after 12 ms" in text
    assert f"web left {NAME}: 2 exchanges were there or sent there; 1 went on at web2, the first at" in text
    assert f"in at the end of {NAME}: web2" in text
    assert "5 more exchanges went wrong, and are only counted" in text
    told = json.loads(run(made, ["replay", first, "nginx", "--json"]).text)
    assert told["leavings"][0]["failed"] == 1
    assert told["before"] == {NAME: ["web", "web2"]}


def test_a_replay_of_a_quiet_time_says_so():
    made = state()
    first = datetime.now(UTC).isoformat()
    assert "nothing happened, and no exchange went wrong" in run(made, ["replay", first, "nginx"]).text


def test_what_is_older_than_what_is_kept_is_said_to_be_unknown():
    result = run(state(), ["replay", "1h", "--for", "10m"])
    assert result.status == 1
    assert result.text.startswith("what happened then is not known: all is known from ")
    partly = run(state(), ["replay", "1h", "--for", "2h"])
    assert partly.status == 0
    assert "is not known any more, or Haystack did not run" in partly.text


@pytest.mark.parametrize(
    ("line", "first", "last"),
    [("5m", -300, 0), ("5m --for 1m", -300, -240), ("5m --for 1h", -300, 0), ("2026-11-30T14:02", None, 60), ("14:02 --for 10s", None, 10)],
)
def test_how_long_ago_goes_until_now_and_a_time_of_day_for_a_minute(line, first, last):
    asked, now = read(["replay", *line.split()]).asked, time.time()
    found = replay.window(asked, now)
    if first is None:
        assert found[1] - found[0] == last
    else:
        assert [each - now for each in found] == pytest.approx([first, last], abs=5)


def test_a_replay_from_before_the_start_shows_what_is_known_and_from_when():
    made = happened(*KILL)
    result = run(made, ["replay", "5m"])
    assert result.status == 0
    assert "was sent SIGKILL" in result.text
    known = dated(made.journal.begun)
    assert f"what happened before {known} is not known any more, or Haystack did not run" in result.text


@pytest.mark.parametrize(("line", "wrong"), [("replay noon", "not a time"), ("replay 3000-01-01", "in the future"), ("replay", "required")])
def test_a_wrong_time_is_wrong_use(line, wrong):
    result = run(state(), line.split())
    assert result.status == 2
    assert wrong in result.text

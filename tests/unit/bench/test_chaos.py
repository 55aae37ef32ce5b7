"""The chaos rounds' own counting: what was processed twice, what nobody processed, and what failed too late."""

import time

from bench.chaos import report
from bench.chaos.course import Course
from bench.chaos.events import Scene
from bench.chaos.rounds import Plan, Round, check
from bench.chaos.rows import ROWS, row


def a_round(done=0, failures=(), told=()):
    return Round({"done": done, "failed": len(failures), "failures": list(failures), "slowest": [], "begun": 0.0}, list(told))


def test_an_id_that_two_origins_read_was_sent_twice():
    played = a_round(done=2)
    check(played, ["1.a", "1.b", "1.a", "2.a", "2.a"], "1.")
    assert played.twice == ["1.a"]
    assert played.lost == []


def test_an_answer_that_nobody_gave_is_told():
    played = a_round(done=3)
    check(played, ["1.a", "1.b"], "1.")
    assert len(played.lost) == 1


def test_failures_count_as_late_by_the_last_deed_before_them():
    played = a_round(failures=[{"at": 10.5}, {"at": 12.0}, {"at": 20.5}], told=[(10.0, "turns bad"), (20.0, "turns good")])
    assert [failure["at"] for failure in played.failed_after(1.0)] == [12.0]


def a_record(method, peer="HAProxy", **figures):
    plain = {"row": "stop", "method": method, "peer": peer, "done": 8800, "failed": 1200, "late": None}
    return plain | {"slowest_ms": 222.4, "rate": 5000.6, "twice": 3} | figures


def test_the_table_has_a_line_for_each_proxy_that_played():
    lines = report.table(ROWS, {"rounds": [a_record("GET"), a_record("POST", late=7)]}).splitlines()
    assert lines[2:] == [f"| {row('stop').title} | HAProxy | 1,200, 12.0% | 222 | 5,001 | 1,200, 12.0% (7 later) | 3 | 5,001 |"]


def test_what_could_not_be_played_is_told_under_the_table():
    missing = [{"row": "stop", "method": "GET", "peer": "nginx", "why": "TimeoutError: x"}]
    assert "Not played: stop GET nginx (TimeoutError: x)" in report.table(ROWS, {"rounds": [], "missing": missing})


def test_the_front_page_has_a_column_for_each_proxy_and_the_times():
    rounds = [a_record("GET", "Haystack", failed=0), a_record("GET"), a_record("POST", late=7)]
    found = {"rounds": rounds, "connections": 64, "date": "D", "machine": "M", "peers": "P"}
    text = report.front(ROWS, found | {"discovery": {"kill_ms": [1.0, 2.0, 9.0]}})
    title = row("stop").title
    assert f"| {title} | **0** · 0.22 s · 5,001 | 1,200, 12.0% · 0.22 s · 5,001 |  |" in text
    assert f"| {title} |  | 7 (+1,193 at first) · 3 |  |" in text
    assert "median 2.0 ms, worst 9.0 ms of 3" in text


def course(rows, peers=("haystack", "haproxy")):
    found = {"rounds": [a_record("GET"), a_record("GET", "nginx"), a_record("GET", row="kill")], "missing": []}
    return Course(rows, peers, lambda _: Plan(seconds=30), found, lambda _: None, client=None)


def test_a_row_that_is_played_again_replaces_its_rounds_before_these_proxies():
    played = course([row("stop")])
    played.forget(row("stop"))
    assert [(r["row"], r["peer"]) for r in played.found["rounds"]] == [("stop", "nginx"), ("kill", "HAProxy")]


def test_the_time_that_it_takes_counts_each_method_and_proxy():
    assert len(course([row("stop"), row("worker")]).steps()) == 2 * 2 + 2


def test_what_happens_goes_on_until_time_is_up_and_happens_once_in_any_case():
    fleet = type("Fleet", (), {"members": [type("C", (), {"name": n}) for n in "ab"]})
    done = []
    scene = Scene(fleet, None, 0.0, end=0.0)
    scene.play(lambda s: s.each(lambda _, container: done.append(container.name)))
    assert done == ["a", "b"]
    scene = Scene(fleet, None, 0.0, end=time.monotonic() + 0.05)
    done.clear()
    scene.play(lambda s: s.each(lambda _, container: done.append(container.name)))
    assert len(done) > 2

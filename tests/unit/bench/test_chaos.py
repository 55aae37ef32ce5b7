"""The chaos rounds' own counting: what was processed twice, what nobody processed, and what failed too late."""

from bench.chaos import report
from bench.chaos.rounds import Round, check
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


def test_the_table_has_a_line_for_each_proxy_that_played():
    rounds = [
        {"row": "stop", "method": method, "peer": "HAProxy", "failed": 1200, "slowest_ms": 222.4, "rate": 5000.6, "twice": 3, "late": None}
        for method in ("GET", "POST")
    ]
    lines = report.table(ROWS, {"rounds": rounds}).splitlines()
    assert lines[2:] == [f"| {row('stop').title} | HAProxy | 1,200 | 222 | 5,001 | 1,200 | 3 | 5,001 |"]

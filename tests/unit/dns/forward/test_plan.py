"""When which nameserver is asked, by itself."""

from haystack.dns.forward.plan import Plan
from haystack.dns.forward.times import TIMES


def timeline(servers, until=5.0, failed=()):
    """(time, servers) of each sending; failed: (time, server) pairs."""
    plan, now, found = Plan(servers, 0.0, until, TIMES), 0.0, []
    failed = sorted(failed)
    while now < until and not plan.over:
        if due := plan.due(now):
            found.append((round(now, 3), due))
            for each in due:
                plan.asked(each)
        if failed and failed[0][0] <= plan.wake():
            now, server = failed.pop(0)
            plan.failed(server)
        else:
            now = plan.wake()
    return found


def test_the_same_again_before_the_next():
    assert timeline("abc") == [(0.0, ["a"]), (0.4, ["a"]), (1.2, ["a", "b"]), (2.0, ["b", "c"]), (3.2, ["c", "a"])]


def test_a_single_one_again_and_again():
    assert timeline("a") == [(0.0, ["a"]), (0.4, ["a"]), (1.2, ["a"]), (2.0, ["a"]), (3.2, ["a"])]


def test_after_a_failure_the_next_at_once():
    assert timeline("abc", failed=[(0.01, "a"), (0.02, "b")])[:4] == [(0.0, ["a"]), (0.01, ["b"]), (0.02, ["c"]), (0.4, ["c"])]


def test_a_late_failure_asks_who_was_not_asked_yet():
    assert timeline("abc", failed=[(1.3, "a")])[:5] == [(0.0, ["a"]), (0.4, ["a"]), (1.2, ["a", "b"]), (1.3, ["c"]), (2.0, ["c", "b"])]


def test_when_all_have_failed_it_is_over():
    assert timeline("ab", failed=[(0.01, "a"), (0.02, "b")]) == [(0.0, ["a"]), (0.01, ["b"])]
    assert Plan("", 0.0, 5.0, TIMES).over


def test_late_is_sent_once_not_as_often_as_was_missed():
    plan = Plan("a", 0.0, 5.0, TIMES)
    assert plan.due(4.0) == ["a"]
    assert (plan.due(4.1), plan.wake()) == ([], 5.0)


def test_nothing_is_sent_past_the_limit():
    assert timeline("a", until=1.0) == [(0.0, ["a"]), (0.4, ["a"])]

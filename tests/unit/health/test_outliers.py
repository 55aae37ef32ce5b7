"""When traffic puts an endpoint out, for how long, and when it is forgiven."""

import pytest

from haystack.health.outliers import LONG_AGO, LONGEST, History, hear
from haystack.model.reports import FailureRow


def row(requests, streak=0, others=100, others_faulty=0, **kinds):
    """One report, while the others of the service answered 100 requests well. What is compared goes back a few seconds at most."""
    faulty = sum(kinds.get(kind, 0) for kind in ("resets", "timeouts", "errors"))
    ended = min(requests, 50) - kinds.get("refused", 0)
    return FailureRow(
        "a:80/tcp", "s", requests, streak=streak, ended=ended, faulty=faulty, others=others, others_faulty=others_faulty, **kinds
    )  # fmt: skip


def heard(*rows, at=0.0, history=None):
    history = history or History()
    for number, each in enumerate(rows):
        history = hear(history, each, at + number / 10)
    return history


@pytest.mark.parametrize("kind", ["refused", "resets", "timeouts", "errors"])
def test_five_failures_in_a_row_put_it_out_however_they_are_reported(kind):
    four = heard(*[row(1, n + 1, **{kind: 1}) for n in range(4)])
    assert not four.ejected(0.3)
    five = hear(four, row(1, 5, **{kind: 1}), 0.4)
    assert five.ejected(0.4)
    assert five.why.startswith("5 failures in a row (5 ")
    assert heard(row(7, 5, **{kind: 5})).ejected(0)


def test_failures_of_several_workers_are_one_row():
    assert heard(row(3, 3, resets=3), row(2, 2, timeouts=2)).why == "5 failures in a row (3 reset, 2 timed out)"


def test_one_good_answer_ends_the_row():
    history = heard(row(4, 4, errors=4), row(1, 0), row(4, 4, errors=4))
    assert not history.ejected(0.3)


def test_half_of_enough_requests_within_the_window():
    assert not heard(row(18, 1, errors=9)).ejected(0)
    history = heard(row(10, 0, errors=5), row(10, 1, resets=5))
    assert history.ejected(0.1)
    assert history.why == "10 of 20 requests failed within 10 s (5 reset, 5 5xx)"
    assert not heard(row(21, 1, errors=10)).ejected(0)


def test_what_is_older_than_the_window_counts_no_more():
    first = heard(row(10, 0, errors=5))
    assert not heard(row(10, 1, resets=5), at=11.0, history=first).ejected(11.0)


def test_the_good_requests_of_an_hour_do_not_hide_a_bad_second():
    history = hear(History(heard=0.0), row(3600, 1, errors=20), 3600.0)
    assert history.ejected(3600.0)
    assert hear(History(heard=0.0), row(100_000, 1, errors=20), 3600.0).until == 0


def test_each_time_is_longer_up_to_the_longest_and_a_good_while_is_forgiven():
    history, now, lengths = History(), 0.0, []
    for _ in range(9):
        history = hear(history, row(5, 5, refused=5), now)
        lengths.append(history.until - history.since)
        now = history.until + 0.1
    assert [round(length) for length in lengths] == [5, 10, 20, 40, 80, 160, 300, 300, 300]
    later = hear(history, row(5, 5, refused=5), history.until + 2 * LONGEST + 1)
    assert later.times == history.times - 2 + 1
    assert hear(history, row(5, 5, refused=5), history.until + 1e6).until - (history.until + 1e6) == 5


def test_what_comes_while_it_is_out_counts_for_nothing():
    out = heard(row(5, 5, refused=5))
    assert hear(out, row(50, 50, refused=50), 1.0) == out
    back = hear(out, row(4, 4, refused=4), 6.0)
    assert not back.ejected(6.0)


def test_one_that_was_silent_is_out_at_once_and_the_reason_says_to_how_many():
    history = heard(row(0, unanswered=12, quiet_ms=640))
    assert history.ejected(0)
    assert history.why == "silent: no answer for 0.6 s to 12 requests"
    assert history.until == 5


def test_a_page_that_fails_everywhere_puts_nobody_out():
    """Five errors of one URL in a row had an endpoint ejected, and then the next one."""
    assert not heard(*[row(1, n + 1, errors=1, others=2, others_faulty=2) for n in range(50)]).ejected(5)
    assert not heard(*[row(4, 1, errors=2, others=8, others_faulty=4) for _ in range(50)]).ejected(5)


@pytest.mark.parametrize(("theirs", "out"), [(0, True), (80, True), (81, False), (160, False)])
def test_errors_put_it_out_where_those_of_others_are_half_as_frequent_at_most(theirs, out):
    """All of its 40 requests were errors, and so many of the others' 160: so half of a service that is sick can go."""
    assert heard(row(40, 40, errors=40, others=160, others_faulty=theirs)).ejected(0) == out


def test_what_chance_explains_puts_nobody_out():
    """Five errors in a row beside five good answers of others: one in 252 times that is chance, and one looks often."""
    assert not heard(row(5, 5, errors=5, others=5)).ejected(0)
    assert heard(row(5, 5, errors=5, others=60)).ejected(0)
    assert not heard(row(20, 9, errors=12, others=20, others_faulty=6)).ejected(0)


@pytest.mark.parametrize("kind", ["errors", "resets", "timeouts"])
def test_without_others_to_compare_with_nobody_is_put_out(kind):
    assert not heard(row(50, 50, others=3, **{kind: 50})).ejected(0)
    assert heard(row(50, 50, others=3, **{kind: 50}), row(1, 51, others=3, **{kind: 1})).ejected(0.1)


@pytest.mark.parametrize("kind", ["errors", "resets", "timeouts"])
def test_a_request_that_breaks_whoever_reads_it_puts_nobody_out(kind):
    assert not heard(*[row(2, n + 2, others=6, others_faulty=6, **{kind: 2}) for n in range(0, 60, 2)]).ejected(3)


def test_refusals_need_no_comparison():
    assert heard(row(9, 9, refused=5, errors=4, others=0)).why == "5 failures in a row (5 refused, 4 5xx)"
    assert not heard(row(9, 9, refused=4, errors=5, others=0)).ejected(0)


def test_where_little_is_asked_for_more_of_the_past_is_compared():
    """One failure every three seconds, and three good answers of others: that it is its own fault shows within half a minute."""
    history = History()
    for number in range(12):
        history = hear(history, row(1, number + 1, errors=1, others=6), number * 3.0)
        if history.why:
            break
    assert 5 <= number <= 10


REFUSAL = FailureRow("a:80/tcp", "s", 50, refused=1)  # nothing was compared


def test_what_is_remembered_of_refusals_is_bounded():
    """Reports without anything to compare were kept for a minute, and summed up with each new one."""
    history = History()
    for number in range(40 * 60):  # four workers report ten times a second
        history = hear(history, REFUSAL, number / 40)
    assert not history.why
    assert len(history.beats) <= 2 * LONG_AGO


def test_reports_that_are_kept_as_one_say_the_same():
    history = History()
    for number in range(40):
        history = hear(history, row(2, 0, errors=1 if number % 8 == 0 else 0, others=7), number / 40)
    sums = [tuple(map(sum, zip(*(getattr(beat, name) for beat in history.beats), strict=True))) for name in ("own", "others")]
    assert sums == [(80, 5), (280, 0)]
    assert (sum(b.requests for b in history.beats), sum(b.failures for b in history.beats)) == (80, 5)

"""Whether a request may be sent again: by its method, its body, what was seen of it, how often it was, and the budget."""

import pytest

from haystack._fast.exchange.testing import Retry

NOW = 1000


@pytest.mark.parametrize("idempotent", [True, False])
def test_what_no_endpoint_saw_is_sent_again_whatever_its_method(idempotent):
    retry = Retry(idempotent=idempotent, reads_only=False)
    assert [retry.after_break(NOW, unseen=True) for _ in range(10)] == ["again"] * 10
    assert (retry.repeats, retry.fresh_only) == (0, False)


def test_what_may_have_been_seen_is_sent_again_once_on_a_new_connection():
    retry = Retry()
    assert retry.after_break(NOW) == "again"
    assert (retry.repeats, retry.fresh_only) == (1, True)
    assert retry.after_break(NOW) == "suspect"


def test_a_request_that_may_have_had_an_effect_is_not_sent_again():
    assert Retry(idempotent=False, reads_only=False).after_break(NOW) == "unsafe"


@pytest.mark.parametrize("unseen", [True, False])
def test_nor_is_one_whose_body_is_not_kept(unseen):
    assert Retry(body_sent=True).after_break(NOW, unseen=unseen) == "unsafe"


def test_an_endpoint_that_was_told_to_stop_costs_no_repetition():
    retry = Retry()
    assert [retry.after_break(NOW, was_stopped=True) for _ in range(3)] == ["again"] * 3
    assert retry.repeats == 0
    assert retry.after_break(NOW) == "again"
    assert retry.after_break(NOW, was_stopped=True) == "again"
    assert retry.after_break(NOW) == "suspect"


def test_the_budget_bounds_what_is_sent_again():
    retry = Retry()
    retry.spend_all(NOW)
    assert retry.after_break(NOW + 99) == "over budget"
    retry = Retry()
    retry.spend_all(NOW)
    assert retry.after_break(NOW + 100) == "again"  # ten a second are free


@pytest.mark.parametrize("how", [{"unseen": True}, {"stale": True}])
def test_what_costs_the_endpoint_nothing_is_not_charged(how):
    retry = Retry()
    retry.spend_all(NOW)
    assert retry.after_break(NOW, **how) == "again"


def test_a_stale_connection_is_followed_by_a_new_one():
    retry = Retry()
    assert retry.after_break(NOW, unseen=True, stale=True) == "again"
    assert (retry.repeats, retry.fresh_only) == (0, True)


def test_a_dead_endpoint_is_left_at_once():
    assert Retry().may_leave_dead()
    assert not Retry(repeats=1).may_leave_dead()
    assert Retry(repeats=1).may_leave_dead(was_stopped=True)
    assert Retry(repeats=1).may_leave_dead(unseen=True)
    assert Retry(idempotent=False, reads_only=False).may_leave_dead(unseen=True)
    assert not Retry(idempotent=False, reads_only=False).may_leave_dead(was_stopped=True)
    assert not Retry(body_sent=True).may_leave_dead(unseen=True)


def test_a_silent_endpoint_is_left_once_with_a_whole_request_that_may_be_sent_again():
    assert Retry().may_leave_silent()
    assert not Retry().may_leave_silent(body_done=False)
    assert not Retry(body_sent=True).may_leave_silent()
    assert not Retry(idempotent=False, reads_only=False).may_leave_silent()
    retry = Retry()
    retry.moved()
    assert (retry.repeats, retry.fresh_only) == (1, True)
    assert not retry.may_leave_silent()


def test_an_error_is_asked_about_elsewhere_only_for_what_reads():
    assert Retry().may_leave_failing(503, [502, 503, 504])
    assert not Retry(reads_only=False).may_leave_failing(503, [503])  # PUT may be repeated, and yet it was answered
    assert not Retry(repeats=1).may_leave_failing(503, [503])
    assert not Retry(body_sent=True).may_leave_failing(503, [503])
    assert not Retry().may_leave_failing(503, [503], body_done=False)


def test_it_is_so_for_the_statuses_that_the_service_names():
    asked = [status for status in range(500, 600) if Retry().may_leave_failing(status, [500, 503])]
    assert asked == [500, 503]

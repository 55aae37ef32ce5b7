"""Whether a request may be sent again: by its method, its body, what was seen of it, how often it was, and the budget."""

import pytest

from haystack._fast.endpoint.endpoint import Endpoint
from haystack._fast.exchange.testing import Budget, Retry

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
def test_a_request_whose_body_is_not_kept_is_not_sent_again(unseen):
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


def endpoint(name="a"):
    return Endpoint(name, ("192.0.2.1", 80))


def test_an_endpoint_that_turns_out_to_have_been_told_to_stop_is_acquitted():
    """That may be heard of after it has broken off: then the repetition was none."""
    retry, stopped, other = Retry(), endpoint("stopped"), endpoint("other")
    for each in (stopped, other):
        assert retry.after_break(NOW) != "unsafe"
        retry.blame(each)
    assert retry.acquit() == [stopped, other]
    assert retry.repeats == 2
    stopped.stop()
    assert retry.acquit() == [other]
    assert retry.repeats == 1
    assert retry.acquit() == [other], "only once"
    assert retry.repeats == 1


def test_one_that_had_been_told_to_stop_before_is_not_acquitted_by_that():
    retry, restarted = Retry(), endpoint()
    restarted.stop()
    restarted.begin(2.0)
    retry.after_break(NOW)
    retry.blame(restarted)
    assert retry.acquit() == [restarted]
    assert retry.repeats == 1


def test_where_nobody_is_blamed_there_is_nobody_to_acquit():
    retry = Retry(repeats=1)
    assert retry.acquit() == []
    assert retry.repeats == 1


# The budget.


def test_a_fifth_of_all_new_requests_may_be_sent_again():
    budget = Budget()
    budget.earn(10)
    assert budget.saved == budget.first + 2


def test_no_more_than_so_much_is_saved_up():
    budget = Budget()
    budget.earn(int((budget.most - budget.first) / budget.earned) - 1)
    assert budget.saved == budget.most - budget.earned
    budget.earn(3)
    assert budget.saved == budget.most


def test_what_comes_in_any_case_fills_it_to_what_it_began_with_and_no_further():
    budget = Budget()
    assert all(budget.spend(NOW) for _ in range(200))
    assert not budget.spend(NOW)
    assert budget.spend(NOW + 1000)
    assert budget.saved == 9
    assert budget.spend(NOW + 3_600_000)
    assert budget.saved == budget.first - 1


def test_a_budget_that_has_more_than_it_began_with_gets_nothing_for_time():
    budget = Budget()
    budget.earn(10)
    assert budget.spend(NOW)
    assert budget.saved == budget.first + 1
    assert budget.spend(NOW + 3_600_000)
    assert budget.saved == budget.first

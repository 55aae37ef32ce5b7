"""The outlier states of an endpoint: suspect, probes, silent and the way back; and how long an endpoint is avoided after a failure.

Times in milliseconds. The view, if nothing else is said, is of four members, three of which keep nobody waiting. `answered_at` says when
one of them last began an answer.
"""

import pytest

from haystack._fast.exchange.testing import Outlier

QUIET, PROBE, PAUSE = 250, 80, 1000


def waiting(count=3, since=1000):
    """An endpoint at which so many requests have waited since then."""
    outlier = Outlier()
    for _ in range(count):
        outlier.waits(since)
    return outlier


def suspected(since=1000):
    """An endpoint that has just become suspect."""
    outlier = waiting(since=since)
    assert outlier.judge(since + QUIET, answered_at=since + 1) == {"probe"}
    assert outlier.phase == "suspect"
    return outlier


def silent(since=1000):
    """One whose probe was not answered; the time is since + QUIET + PROBE."""
    outlier = suspected(since)
    outlier.probe_sent(since + QUIET)
    assert outlier.judge(since + QUIET + PROBE, answered_at=since + QUIET + 1) == {"report"}
    assert outlier.phase == "silent"
    return outlier


def test_one_at_which_nobody_waits_is_well():
    outlier = Outlier()
    assert outlier.judge(10_000, answered_at=9_999) == set()
    assert outlier.phase == "healthy"
    assert not outlier.still_watched(10_000)


def test_one_is_suspected_once_it_has_been_quiet_for_too_long_while_others_answer():
    outlier = waiting()
    assert outlier.judge(1000 + QUIET - 1, answered_at=1100) == set()
    assert outlier.phase == "healthy"
    assert outlier.judge(1000 + QUIET, answered_at=1100) == {"probe"}
    assert (outlier.phase, outlier.suspected_by) == ("suspect", 1)


def test_what_is_too_long_follows_what_is_usual_in_the_service():
    outlier = waiting()
    assert outlier.judge(1000 + 1499, answered_at=1100, usual=1000) == set()
    assert outlier.judge(1000 + 1500, answered_at=1100, usual=1000) == {"probe"}


@pytest.mark.parametrize(
    "view", [{"answered_at": 1000}, {"answered_at": 900}, {"answered_at": 1100, "well": 1}, {"answered_at": 1100, "size": 1}]
)
def test_nobody_is_suspected_where_the_others_do_not_answer_or_keep_as_many_waiting(view):
    outlier = waiting()
    assert outlier.judge(5000, **view) == set()
    assert outlier.phase == "healthy"


def test_it_was_not_silent_while_it_answered_others():
    outlier = Outlier()
    outlier.answers(1500)
    outlier.waits(1000)
    assert outlier.quiet_since == 1500
    outlier.waits(1200)
    assert outlier.quiet_since == 1500


def test_the_first_of_those_that_wait_counts():
    outlier = Outlier()
    outlier.waits(1300)
    outlier.waits(1100)
    assert outlier.quiet_since == 1100


def test_an_answer_ends_the_suspicion_and_the_next_one_takes_twice_as_long():
    outlier = suspected()
    outlier.answers(1300)
    assert (outlier.phase, outlier.quiet_since, outlier.avoid_until, outlier.vain) == ("healthy", 0, 0, 1)
    assert outlier.judge(1300 + QUIET, answered_at=1400) == set()  # quiet since its answer: those that wait are still there
    assert outlier.judge(1300 + 2 * QUIET - 1, answered_at=1400) == set()
    assert outlier.judge(1300 + 2 * QUIET, answered_at=1400) == {"probe"}


def test_vain_suspicions_are_forgotten_when_nobody_waits_any_more():
    outlier = suspected()
    outlier.answers(1300)
    for _ in range(3):
        outlier.left()
    assert not outlier.still_watched(1400)
    assert outlier.vain == 0


def test_a_suspicion_ends_where_nobody_is_left_to_compare_with():
    for view in ({"size": 1}, {"member": False}, {"answered_at": 900}):
        outlier = suspected()
        outlier.probe_sent(1260)
        outlier.judge(1300, **view)
        assert (outlier.phase, outlier.probes, outlier.avoid_until) == ("healthy", 0, 0), view


def test_another_service_of_the_same_endpoint_does_not_end_the_suspicion():
    for view in ({"size": 1}, {"member": False}, {"answered_at": 900}):
        outlier = suspected()
        outlier.judge(1300, queue=2, **view)
        assert outlier.phase == "suspect", view


def test_a_probe_has_its_time_and_others_go_elsewhere_meanwhile():
    outlier = suspected()
    outlier.probe_sent(1260)
    assert outlier.avoid_until > 10**9
    assert outlier.judge(1260 + PROBE - 1, answered_at=1300) == set()
    assert outlier.judge(1260 + PROBE, answered_at=1260) == set()  # nobody has answered since the probe went there
    assert outlier.judge(1260 + PROBE, answered_at=1300) == {"report"}
    assert (outlier.phase, outlier.probes, outlier.quiet_ms) == ("silent", 0, 1260 + PROBE - 1000)


def test_one_request_that_waits_takes_two_probes():
    outlier = waiting(count=1)
    outlier.judge(1250, answered_at=1100)
    outlier.probe_sent(1250)
    assert outlier.judge(1250 + PROBE, answered_at=1300) == {"probe"}
    outlier.probe_sent(1330)
    assert outlier.judge(1330 + PROBE, answered_at=1350) == {"report"}


def test_a_probe_that_could_not_be_sent_is_none():
    outlier = suspected()
    outlier.probe_sent(1260)
    outlier.probe_unsent(1261)
    assert (outlier.probes, outlier.avoid_until) == (0, 1261)
    assert outlier.judge(1300, answered_at=1290) == {"probe"}


def test_many_that_wait_for_four_times_as_long_need_no_probe():
    outlier = waiting(count=5)
    assert outlier.judge(1000 + QUIET, answered_at=1100) == {"probe"}
    assert outlier.judge(1000 + 4 * QUIET - 1, answered_at=1100) == {"probe"}
    assert outlier.judge(1000 + 4 * QUIET, answered_at=1100) == {"report"}
    assert outlier.phase == "silent"


def test_never_more_than_half_is_silent():
    outlier = suspected()
    outlier.probe_sent(1260)
    assert outlier.judge(1400, answered_at=1300, silent=2) == set()
    assert outlier.phase == "suspect"


def test_where_half_is_silent_already_many_that_wait_still_have_their_probe():
    outlier = waiting(count=5)
    outlier.judge(1000 + QUIET, answered_at=1100)
    assert outlier.judge(1000 + 4 * QUIET, answered_at=1100, silent=2) == {"probe"}
    assert outlier.phase == "suspect"


def test_nor_is_one_condemned_by_a_sample_where_half_is_silent_already():
    outlier = waiting()
    outlier.judge(1250, **IDLE)
    outlier.sampled(1000, 1250)
    outlier.left()
    assert outlier.sample_answered(1250, 1275)
    assert outlier.judge(1290, silent=2, **IDLE) == set()
    assert (outlier.phase, outlier.proven) == ("healthy", False)


def test_those_that_wait_for_a_process_that_has_just_begun_are_not_held_against_it():
    """Of it nothing is known: it has answered nobody, and they were sent to the one before."""
    outlier = waiting()
    outlier.restart()
    assert (outlier.late, outlier.quiet_since, outlier.answered_at) == (3, 0, 0)
    assert outlier.judge(60_000, answered_at=59_999) == set()
    assert outlier.phase == "healthy"


def test_one_that_only_a_probe_waited_for_was_quiet_since_that_was_sent():
    outlier = Outlier()
    outlier.probe_sent(1200)
    outlier.sampled(1200, 1250)
    assert outlier.sample_answered(1250, 1275)
    assert outlier.judge(1290, **IDLE) == {"report"}
    assert (outlier.quiet_since, outlier.quiet_ms) == (0, 90)


IDLE = {"answered_at": 900, "well": 3, "idle": 2}


def test_where_all_wait_here_one_is_tried_elsewhere():
    """All requests wait at this endpoint, so there is no answer of another one to compare with."""
    outlier = waiting()
    assert outlier.judge(1250, **IDLE) == {"sample"}
    outlier.sampled(1000, 1250)
    outlier.left()
    assert outlier.judge(1270, **IDLE) == set()  # one at a time
    assert outlier.sample_answered(1250, 1275)
    assert outlier.judge(1290, **IDLE) == {"report"}
    assert (outlier.phase, outlier.unanswered, outlier.quiet_ms) == ("silent", 1, 290)


def test_a_sample_that_takes_as_long_elsewhere_speaks_against_nobody():
    outlier = waiting()
    outlier.judge(1250, **IDLE)
    outlier.sampled(1000, 1250)
    outlier.left()
    assert outlier.judge(1500, **IDLE) == set()
    assert not outlier.sample_answered(1250, 1501)
    assert outlier.judge(1501, **IDLE) == set()
    outlier.waits(1400)
    assert outlier.judge(1501, **IDLE) == {"sample"}  # the next one may


def test_a_sample_speaks_against_nobody_who_has_answered_meanwhile():
    outlier = waiting()
    outlier.judge(1250, **IDLE)
    outlier.sampled(1000, 1250)
    outlier.answers(1260)
    assert not outlier.sample_answered(1250, 1270)
    assert outlier.judge(1280, **IDLE) == set()


def test_the_only_request_that_waits_is_a_sample_too_and_its_endpoint_is_judged_though_nobody_waits_there_any_more():
    outlier = waiting(count=1)
    assert outlier.judge(1000 + 4 * QUIET - 1, usual=20, **IDLE) == set()
    assert outlier.judge(1000 + 4 * QUIET, usual=20, **IDLE) == {"sample", "reading"}
    outlier.sampled(1000, 2000)
    outlier.left()
    assert outlier.still_watched(2003)
    assert outlier.sample_answered(2000, 2003)
    assert outlier.still_watched(9000)
    assert outlier.judge(2010, usual=20, **IDLE) == {"report"}


def test_a_sample_that_is_not_answered_in_its_time_is_forgotten():
    outlier = waiting(count=1)
    outlier.sampled(1000, 2000)
    outlier.left()
    assert outlier.still_watched(3000)
    assert not outlier.still_watched(3001)
    assert not outlier.sample_answered(2000, 3001)


@pytest.mark.parametrize(("vain", "after"), [(0, 1000), (1, 2000), (6, 64_000)])
def test_each_sample_in_vain_doubles_the_time_until_a_few_have_the_next_one(vain, after):
    assert waiting(count=2).judge(1000 + after - 1, usual=20, vain=vain, **IDLE) == set()
    assert waiting(count=2).judge(1000 + after, usual=20, vain=vain, **IDLE) == {"sample", "reading"}
    assert waiting(count=3).judge(1250, usual=20, vain=vain, **IDLE) == {"sample"}


def test_what_is_usual_in_the_service_has_to_be_known_before_a_few_have_a_sample():
    """The first requests to processes that have just started take as long as they take."""
    assert waiting(count=2).judge(60_000, **IDLE) == set()


def test_a_probe_is_moved_where_its_client_was_the_last_one_that_did_not_wait_here():
    """Others answered before, which made it suspect; since the probe nobody has been asked."""
    outlier = waiting(count=1)
    assert outlier.judge(1250, answered_at=1240, idle=3) == {"probe"}
    outlier.probe_sent(1250)
    outlier.probe_sent(1251)
    assert outlier.judge(1250 + QUIET, answered_at=1240, idle=3) == set()
    outlier.waits(1251)
    assert outlier.judge(1251 + QUIET, answered_at=1240, idle=3) == {"sample", "reading"}


@pytest.mark.parametrize("view", [{"idle": 1}, {"keyed": True}])
def test_nothing_is_tried_elsewhere_where_the_others_have_work_or_requests_go_by_a_key(view):
    outlier = waiting()
    assert outlier.judge(1250, **(IDLE | view)) == set()


def test_two_that_wait_are_too_few_to_try_one_elsewhere_at_once():
    assert waiting(count=2).judge(1250, usual=20, **IDLE) == set()


def test_a_suspect_that_no_probe_comes_for_is_sampled_after_a_tick():
    outlier = suspected()
    assert outlier.judge(1260, answered_at=1100, idle=2) == {"probe", "sample"}


def test_a_silent_one_is_probed_after_a_pause_and_what_comes_late_there_is_moved():
    outlier = silent()
    due = 1000 + QUIET + PROBE + PAUSE
    assert outlier.judge(due - 1, answered_at=due - 2) == {"move"}
    assert not outlier.probe_is_due(due - 1)
    assert outlier.probe_is_due(due)
    assert outlier.judge(due, answered_at=due - 2) == {"move", "probe"}
    for _ in range(3):
        outlier.left()
    assert outlier.judge(due, answered_at=due - 2) == {"probe"}


def test_each_vain_probe_doubles_the_pause_up_to_a_minute():
    outlier = silent()
    pauses = []
    for _ in range(8):
        now = outlier.next_probe
        outlier.probe_sent(now)
        assert not outlier.probe_is_due(now)
        assert outlier.judge(now + QUIET - 1, answered_at=now) == set()
        assert outlier.judge(now + QUIET, answered_at=now) == {"report"}
        pauses.append(outlier.next_probe - now - QUIET)
    assert pauses == [2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000]


def test_its_first_answer_ends_the_silence():
    outlier = silent()
    outlier.answers(2000)
    assert (outlier.phase, outlier.avoid_until, outlier.probes) == ("healthy", 0, 0)


def test_a_silent_one_that_left_the_service_has_its_requests_moved():
    outlier = silent()
    assert outlier.judge(1500, member=False) == {"move"}
    for _ in range(3):
        outlier.left()
    assert outlier.judge(1500, member=False) == set()


def test_a_silent_one_that_is_gone_is_forgotten_after_ten_minutes():
    outlier = silent()
    for _ in range(3):
        outlier.left()
    due = outlier.next_probe
    assert outlier.still_watched(due + 600_000, gone=True)
    assert outlier.still_watched(due + 600_001)
    assert not outlier.still_watched(due + 600_001, gone=True)
    assert outlier.phase == "healthy"


def test_a_new_process_has_done_nothing_yet():
    outlier = suspected()
    outlier.answers(1260)
    outlier.failed("reset", 1300)
    outlier.restart()
    assert (outlier.phase, outlier.answered_at, outlier.streak, outlier.vain, outlier.avoid_until) == ("healthy", 0, 0, 0, 0)


def test_one_that_fails_is_avoided_for_longer_each_time():
    outlier = Outlier()
    avoided = []
    for _ in range(6):
        outlier.failed("error", 1000)
        avoided.append(outlier.avoid_until - 1000)
    assert avoided == [50, 100, 200, 400, 800, 800]
    assert (outlier.streak, outlier.ended, outlier.faults) == (6, 6, [0, 0, 0, 6])


def test_a_failure_does_not_shorten_the_time_for_which_it_is_avoided():
    outlier = silent()
    before = outlier.avoid_until
    outlier.failed("timeout", 1500)
    assert outlier.avoid_until == before


def test_a_success_ends_it_and_is_news_where_the_failures_were_told():
    outlier = Outlier()
    assert not outlier.went_well()
    outlier.failed("refused", 1000)
    assert not outlier.went_well()
    assert (outlier.streak, outlier.avoid_until) == (0, 0)
    outlier.failed("refused", 1000)
    outlier.told()
    assert outlier.went_well()


def test_a_success_of_a_silent_one_does_not_end_its_silence():
    """It had been sent before; only what it says now does."""
    outlier = silent()
    outlier.failed("reset", 1400)
    outlier.went_well()
    assert outlier.phase == "silent"
    assert outlier.avoid_until > 10**9

"""What a request waits for that no endpoint takes, and for how long."""

from haystack._fast.exchange.testing import Pending


def test_a_request_waits_for_room_as_long_as_the_setting_says():
    pending = Pending()
    assert pending.for_room(5000, queue_ms=1000) == "join"
    assert (pending.reason, pending.until) == ("room", 6000)


def test_a_request_woken_in_vain_is_first_in_the_queue_and_its_time_goes_on():
    pending = Pending()
    pending.for_room(5000, queue_ms=1000)
    assert pending.for_room(5700, queue_ms=1000, has_place=False) == "join first"
    assert pending.until == 6000


def test_a_request_that_had_an_endpoint_meanwhile_waits_for_the_whole_time_again():
    pending = Pending()
    pending.for_room(5000, queue_ms=1000)
    pending.served()
    assert pending.for_room(5700, queue_ms=1000) == "join first"
    assert pending.until == 6700


def test_a_request_whose_endpoint_failed_waits_for_room_for_the_whole_time_again():
    pending = Pending()
    pending.for_room(5000, queue_ms=1000)
    pending.for_room(5700, queue_ms=1000, failed=True)
    assert pending.until == 6700


def test_nobody_waits_for_room_where_that_is_off_or_the_queue_is_full():
    assert Pending().for_room(5000, queue_ms=0) == "no queue"
    assert Pending().for_room(5000, has_place=False) == "queue full"


def test_it_waits_for_an_endpoint_until_the_service_has_been_without_for_too_long():
    pending = Pending()
    assert pending.for_endpoint(5000, 9000) == "join"
    assert (pending.reason, pending.until) == ("endpoint", 9000)
    assert Pending().for_endpoint(5000, 5000) == "give up"
    assert Pending().for_endpoint(5000, 9000, has_place=False) == "give up"


def test_another_start_of_the_same_container_prolongs_nothing():
    pending = Pending()
    pending.for_endpoint(5000, 9000)
    assert pending.for_endpoint(8000, 12_000) == "join"
    assert pending.until == 9000


def test_one_that_waited_for_room_waits_for_an_endpoint_as_long_as_any():
    pending = Pending()
    pending.for_room(5000, queue_ms=1000)
    pending.for_endpoint(5500, 9000)
    assert pending.until == 9000


def test_a_request_whose_endpoint_failed_waits_for_an_endpoint_for_the_whole_time_again():
    pending = Pending()
    pending.for_endpoint(5000, 9000)
    pending.for_endpoint(8000, 12_000, failed=True)
    assert pending.until == 12_000


def test_news_are_waited_for_for_a_second_in_all():
    pending = Pending()
    assert pending.for_news(5000) == "join"
    assert (pending.reason, pending.until) == ("news", 6000)
    assert pending.for_news(5999) == "join"
    assert pending.until == 6000
    assert pending.for_news(6000) == "give up"


def test_news_are_waited_for_no_longer_than_the_wait_of_the_service():
    pending = Pending()
    pending.for_news(5000, wait_ms=300)
    assert pending.until == 5300
    assert Pending().for_news(5000, wait_ms=0) == "give up"


def test_a_failure_that_no_stop_explains_is_told_at_once():
    assert Pending().for_news(5000, failed=False) == "give up"
    assert Pending().for_news(5000, has_place=False) == "give up"


def test_for_another_cause_it_looks_each_tick_for_half_a_second():
    pending = Pending()
    assert pending.for_cause(5000) == "look again"
    assert pending.for_cause(5499) == "look again"
    assert pending.for_cause(5500) == "give up"


def test_for_another_cause_it_looks_for_a_second_where_the_service_has_other_endpoints():
    pending = Pending()
    assert pending.for_cause(5000, others=True) == "look again"
    assert pending.for_cause(5999, others=True) == "look again"
    assert pending.for_cause(6000, others=True) == "give up"


def test_an_endpoint_that_had_been_told_to_stop_is_another_cause():
    pending = Pending()
    pending.for_cause(5000)
    assert pending.for_cause(5200, acquitted=True) == "go on"
    assert pending.news_until == 0


def test_the_end_of_all_other_endpoints_is_another_cause():
    pending = Pending()
    pending.for_cause(5000, others=True)
    assert pending.for_cause(5200, others=True, empty=True) == "wait for endpoint"
    assert Pending().for_cause(5200, empty=True) == "look again"  # both of two have broken off: it had no others

"""What workers' DNS has counted, added up: over workers, and over processes that come and go."""

from haystack.dns import counts
from haystack.dns.messages import DnsCounts
from haystack.proxy.worker_slot import Slot

ONE = DnsCounts((("A", 0, "zone", 3), ("A", 3, "zone", 1)), ((1, 3), 0.5), ((0, 1), 2.0), 2, 10, 4000, 1, 2, 3)
OTHER = DnsCounts((("A", 0, "zone", 4), ("MX", 2, "upstream", 1)), ((4,), 0.25), ((), 0.0), 1, 5, 2000, 0, 1, 0)


def test_workers_are_added_up():
    both = counts.total([ONE, OTHER])
    assert both.answers == (("A", 0, "zone", 7), ("A", 3, "zone", 1), ("MX", 2, "upstream", 1))
    assert (both.at_once, both.waited) == (((5, 3), 0.75), ((0, 1), 2.0))
    assert (both.waiting, both.entries, both.bytes) == (3, 15, 6000)
    assert (both.truncated, both.dropped, both.lost) == (1, 3, 3)


def test_of_no_worker_there_is_nothing():
    assert counts.total([]) == counts.NOTHING


def test_answers_are_counted_by_source():
    assert counts.of_source(ONE, "zone") == 4
    assert counts.of_source(ONE, "cache") == 0


def test_what_only_grows_survives_the_process_that_counted_it_and_the_rest_does_not():
    slot = Slot(0, [])
    slot.dns_now = ONE
    slot.forget()
    assert slot.dns == counts.ended(ONE)
    slot.dns_now = OTHER
    assert slot.dns.answers[0] == ("A", 0, "zone", 7)
    assert (slot.dns.waiting, slot.dns.entries, slot.dns.lost) == (1, 5, 3)
    slot.forget()
    slot.forget()
    assert slot.dns == counts.total([counts.ended(ONE), counts.ended(OTHER)])

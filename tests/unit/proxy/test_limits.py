"""What a time of 0 means to a worker: nothing waits, nothing is kept, or there is no limit."""

from haystack.proxy import limits
from haystack.settings.settings import load


def test_with_a_queue_timeout_of_0_nobody_waits_for_room_but_for_an_endpoint_as_before():
    made = limits.of(load({"queue_timeout": "0", "queue_size": "7"}))
    assert (made.queue_ms, made.queue_size) == (0, 7)


def test_a_pool_idle_of_0_keeps_no_connection():
    assert limits.of(load({"pool_idle": "0"})).pool_size == 0


def test_a_tunnel_timeout_of_0_is_no_limit():
    assert limits.of(load({"tunnel_timeout": "0"})).tunnel_ms > 10 * 365 * 86400 * 1000


def test_other_times_are_themselves():
    made = limits.of(load({"queue_timeout": "2s", "pool_idle": "3s", "tunnel_timeout": "4s"}))
    assert (made.queue_ms, made.pool_ms, made.tunnel_ms) == (2000, 3000, 4000)
    assert made.queue_size
    assert made.pool_size

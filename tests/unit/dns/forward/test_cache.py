"""What is kept, for how long, and how much of it, by itself."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haystack.dns import wire
from haystack.dns.forward.cache import Answer, Cache, Key
from haystack.dns.forward.failures import Failures

ADDRESS = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\1"
SOA = b"\xc0\x0c\0\6\0\1\0\0\0\x3c\0\x16\0\0" + bytes(20)


def key(name="example.com", qtype=1, do=False):
    return Key(wire.name(name), qtype, do, False)


def answer(records=1, lifetime=60):
    size = len(ADDRESS)
    ends = tuple(range(size, size * records + 1, size))
    return Answer(wire.Packed(wire.RA, ADDRESS * records, ends, (records, 0, 0), tuple(end - 10 for end in ends)), lifetime)


def denial(lifetime=60):
    return Answer(wire.Packed(wire.RA | wire.NXDOMAIN, SOA, (len(SOA),), (0, 1, 0), (6,)), lifetime)


def test_what_is_kept_is_what_was_given():
    cache = Cache()
    cache.keep(key(), answer(3)._replace(leads=b"\1x\0", server="192.0.2.1:53"), 10.0)
    assert cache.entry(key(), 10.0).answer(10.0) == answer(3)._replace(leads=b"\1x\0", server="192.0.2.1:53")
    assert cache.entry(key("other.com"), 10.0) is None
    assert cache.entry(key(do=True), 10.0) is None


def test_it_expires_is_stale_for_a_day_and_gone():
    cache = Cache()
    cache.keep(key(), answer(), 10.0)
    assert cache.entry(key(), 69.0).left(69.0) == 1
    assert cache.entry(key(), 70.0).expires <= 70.0
    assert cache.entry(key(), 70.0 + 86_399).stale(30).packed.body[6:10] == b"\0\0\0\x1e"
    assert cache.entry(key(), 70.0 + 86_400) is None
    assert (len(cache), cache.bytes) == (0, 0)


def test_what_has_no_lifetime_is_not_kept():
    cache = Cache()
    cache.keep(key(), answer(lifetime=0), 10.0)
    assert len(cache) == 0


def test_a_denial_is_for_all_types_and_names_below():
    cache = Cache()
    cache.keep(key("gone.example"), denial(), 10.0)
    assert cache.entry(key("gone.example", 28), 10.0).denies
    found = cache.denied_above(key("a.b.gone.example"), b"\0", 20.0)
    assert found.lifetime == 50
    assert found.packed.body.startswith(wire.name("gone.example") + b"\0\6\0\1\0\0\0\x32")
    assert cache.denied_above(key("gone.example"), b"\0", 10.0) is None
    assert cache.denied_above(key("other.example"), b"\0", 10.0) is None
    assert cache.denied_above(key("a.gone.example"), b"\0", 70.0) is None


def test_a_denial_does_not_hold_in_a_domain_with_nameservers_of_its_own():
    cache = Cache()
    cache.keep(key("corp"), denial(), 10.0)
    assert cache.denied_above(key("a.lan.corp"), wire.name("lan.corp"), 10.0) is None
    cache.keep(key("b.lan.corp"), denial(), 10.0)
    assert cache.denied_above(key("a.b.lan.corp"), wire.name("lan.corp"), 10.0)


def test_a_name_that_is_there_after_all_is_denied_no_more():
    cache = Cache()
    cache.keep(key("gone.example"), denial(), 10.0)
    cache.keep(key("www.gone.example"), answer(), 20.0)
    assert cache.entry(key("gone.example"), 20.0) is None
    assert (len(cache), cache._denials) == (1, 0)


def test_a_newer_denial_takes_the_place_of_an_answer():
    cache = Cache()
    cache.keep(key(), answer(), 10.0)
    cache.keep(key(), denial(), 20.0)
    assert cache.entry(key(), 20.0).denies
    assert len(cache) == 1


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 300), st.booleans()), max_size=80))
def test_bytes_are_what_the_entries_have_and_within_the_bound(puts):
    cache = Cache(30_000)
    for n, records, denies in puts:
        cache.keep(key(f"{n}.example"), denial() if denies else answer(records), 10.0)
        assert cache.bytes <= 30_000
    assert cache.bytes == sum(entry.size + len(name.name) for name, entry in cache._entries.items())
    assert cache._denials == sum(name.qtype < 0 for name in cache._entries)
    for name in list(cache._entries):
        cache._drop(name)
    assert cache.bytes == cache._denials == 0


@pytest.mark.untraced
@pytest.mark.parametrize("records", [1, 8, 3900])
def test_no_more_memory_is_taken_than_is_counted(records):
    most = 2 << 20
    cache = Cache(most)
    tracemalloc.start()
    for n in range(6000 if records < 100 else 60):
        made = answer(records)
        fresh = made.packed._replace(body=bytes(bytearray(made.packed.body)))
        cache.keep(Key(b"\x0a%010d\0" % n, 1, False, False), made._replace(packed=fresh), 10.0)
    del made, fresh
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most * 0.6 < cache.bytes <= most
    assert used < cache.bytes * 1.05 + 100_000


def test_what_was_asked_for_last_stays():
    cache = Cache(3 * (len(ADDRESS) + 700))
    for name in "abc":
        cache.keep(key(name), answer(), 10.0)
    cache.entry(key("a"), 10.0)
    for name in "de":
        cache.keep(key(name), answer(), 10.0)
    assert cache.entry(key("a"), 10.0) is not None
    assert cache.entry(key("b"), 10.0) is None


def test_failures_are_bounded_and_forgotten():
    failures = Failures(2)
    for n in range(3):
        failures.note(n, f"why {n}", 10.0)
    assert [failures.within(n, 1.0, 10.5) for n in range(3)] == [None, "why 1", "why 2"]
    assert failures.within(2, 1.0, 11.0) is None
    failures.clear(1)
    assert failures.within(1, 1.0, 10.5) is None

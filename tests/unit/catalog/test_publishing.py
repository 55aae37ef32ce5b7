"""How long publishing takes, as it is counted."""

from haystack.catalog.publishing import Durations, Publishing


def test_a_histogram_counts_what_took_no_longer_than_each_bound():
    found = Durations((0.1, 1.0))
    for seconds in (0.05, 0.1, 0.5, 7.0):
        found.add(seconds)
    assert found.told() == ([("0.1", 2.0), ("1.0", 3.0), ("+Inf", 4.0)], 7.65)


def test_a_clock_that_is_ahead_makes_no_time_negative():
    found = Durations((0.1,))
    found.add(-3.0)
    assert found.told() == ([("0.1", 1.0), ("+Inf", 1.0)], 0.0)


def test_what_comes_while_a_snapshot_is_built_is_in_the_next_one():
    publishing = Publishing()
    publishing.heard(10.0)
    first = publishing.begins()
    publishing.heard(11.0)
    publishing.heard(0.0)
    publishing.published(first, 10.5, 0.01)
    assert publishing.begins() == [11.0]
    assert publishing.lags.told()[1] == 0.5

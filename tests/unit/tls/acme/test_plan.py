"""What is ordered: no name twice, none that is covered, none before its time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from haystack.loop.turns import at_once
from haystack.tls.acme import plan
from haystack.tls.acme.plan import MOST, NEVER, Held, key_of

NOW = 1000.0
names = st.sampled_from(["a.x", "b.x", "c.x", "*.x", "x", "a.y", "*.y", "d.a.x"])
groups = st.dictionaries(st.sampled_from("stu"), st.lists(names, min_size=1, unique=True).map(tuple))
times = st.sampled_from([0.0, 500.0, 1500.0, 2000.0])
held = st.lists(st.tuples(st.lists(names, min_size=1, unique=True).map(tuple), times, times), max_size=4)


def made(groups, held=(), free=None):
    there = {
        key_of(names) + str(n): Held(key_of(names) + str(n), names, expires, renewal) for n, (names, expires, renewal) in enumerate(held)
    }
    return at_once(plan.made(groups, there, NOW, lambda name: (free or {}).get(name, 0.0))), there


@given(groups, held, st.dictionaries(names, st.sampled_from([500.0, 1500.0, NEVER])))
def test_orders_are_for_what_is_wanted_and_free_and_each_has_a_reason(groups, held, free):
    found, there = made(groups, held, free)
    wanted = {name for names in groups.values() for name in names}
    ordered = [name for task in found.tasks for name in task.names]
    assert len(ordered) == len(set(ordered))
    assert set(ordered) <= wanted
    assert all(free.get(name, 0.0) <= NOW for name in ordered)
    assert all(task.needed and len(task.names) <= MOST for task in found.tasks)
    assert set(found.replaced) <= set(found.idle) <= there.keys()


@given(groups, held)
def test_once_all_orders_are_fulfilled_there_is_none_more(groups, held):
    found, there = made(groups, held)
    for task in found.tasks:
        there[task.key] = Held(task.key, task.names, 9000.0, 6000.0)
    assert at_once(plan.made(groups, there, NOW, lambda _name: 0.0)).tasks == ()


@given(groups, held)
def test_every_name_has_a_certificate_or_an_order(groups, held):
    found, there = made(groups, held)
    have = {name for each in there.values() if each.renewal > NOW for name in each.names}
    have |= {name for task in found.tasks for name in task.names}
    for name in {name for names in groups.values() for name in names}:
        assert name in have or plan.above(name) in have


def test_many_names_are_several_certificates():
    found, _ = made({"s": tuple(f"n{number}.example.com" for number in range(60))})
    assert [len(task.names) for task in found.tasks] == [25, 25, 10]


def test_the_next_thing_to_do_is_the_earliest():
    found, _ = made({"s": ("a.x", "b.x")}, [(("a.x",), 9000.0, 5000.0)], {"b.x": 3000.0})
    assert (found.tasks, found.next) == ((), 3000.0)


def test_what_ends_first_is_ordered_first_and_says_what_it_replaces():
    old = {"k": Held("k", ("b.x",), 2000.0, 900.0, "id.1"), "l": Held("l", ("c.x",), 1500.0, 900.0, "id.2")}
    found = at_once(plan.made({"s": ("b.x",), "t": ("c.x",), "u": ("d.x",)}, old, NOW, lambda _name: 0.0))
    assert [(task.names, task.replaces) for task in found.tasks] == [(("d.x",), ""), (("c.x",), "id.2"), (("b.x",), "id.1")]

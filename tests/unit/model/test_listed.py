import gc
import random

from haystack.model.listed import Listed, differing
from haystack.model.records import Container
from tests.fakes.effort import calls

THOUSANDS = 10_000


def container(number, **more):
    return Container(id=f"{number:05}", name=f"c{number}", engine="E", services=(f"s{number}",), **more)


def listed(count):
    return Listed.of(container(n) for n in range(count))


def test_it_is_a_sequence_in_the_order_of_ids_and_equals_others_with_the_same_containers():
    mixed = random.Random(1).sample(range(500), 500)
    under_test = Listed.of(container(n) for n in mixed)
    assert under_test == tuple(container(n) for n in range(500))
    assert under_test == listed(500) != listed(499)
    assert (len(under_test), under_test[0], under_test[-1]) == (500, container(0), container(499))
    assert under_test[1:3] == (container(1), container(2))
    assert Listed.of([container(1, state="first"), container(1, state="second")])[0].state == "first"
    assert not Listed()


def test_where_two_differ_is_found_whatever_has_changed():
    chance = random.Random(2)
    before = listed(1000)
    for _ in range(50):
        changes = {f"{n:05}": container(n, state="other") for n in chance.sample(range(1200), chance.randrange(1, 40))}
        changes |= dict.fromkeys(f"{n:05}" for n in chance.sample(range(1000), chance.randrange(5)))
        after = before.changed(changes)
        gone, new = ({c.id: c for some in each for c in some} for each in differing(before, after))
        assert {i for i in {*gone, *new} if gone.get(i) != new.get(i)} == {i for i in changes if before.by_id.get(i) != after.by_id.get(i)}
        before = after


def test_those_that_did_not_change_are_not_looked_at():
    before = listed(THOUSANDS)
    after = before.changed({f"{n:05}": container(n, state="other") for n in (3, 5_000, 9_999)})
    gone, new = differing(before, after)
    assert max(sum(map(len, gone)), sum(map(len, new))) <= 3 * 64
    assert calls(lambda: differing(before, after)) < THOUSANDS / 10


def test_where_all_is_other_it_is_told_in_pieces_for_who_looks_at_it_in_turns():
    other = Listed.of(container(n, state="other") for n in range(THOUSANDS))
    for old, new in ((listed(THOUSANDS), other), (tuple(listed(THOUSANDS)), tuple(other)), ((), other)):
        gone, came = map(list, differing(old, new))
        assert max(map(len, [*gone, *came])) <= 64
        assert [c for some in came for c in some] == list(other)
        assert [c for some in gone for c in some] == list(old)


def test_a_change_of_a_list_makes_nothing_that_the_search_for_garbage_would_look_through_as_a_whole():
    """A tuple of thousands took it 5 ms and more, for each change of one container."""
    before = listed(THOUSANDS)
    gc.collect()
    known = set(map(id, gc.get_objects()))
    after = before.changed({"00007": container(7, state="other")})
    found = differing(before, after)
    new = [each for each in gc.get_objects() if id(each) not in known and each is not known and type(each) in (dict, list, set, tuple)]
    assert sum(map(len, found[1])) <= 64
    assert max(map(len, new), default=0) <= THOUSANDS // 32 + 1

"""What is known of an engine becomes a list: in the order of ids, without Haystack itself, at the price of what has changed."""

from __future__ import annotations

import random
from collections.abc import Sequence

from haystack.discovery.docker import inspect
from haystack.discovery.docker.engine_view import View
from haystack.model.records import Container, Engine, Network
from tests.fakes.effort import instructions
from tests.fakes.engine import inspected


def view(count: int) -> View:
    made = View()
    made.engine = Engine(id="E", name="box", host="unix:///x")
    for number in range(count):
        put(made, number)
    put(made, count, itself=True)
    made.listing()
    return made


def put(view: View, number: int, name: str = "", *, itself: bool = False) -> str:
    found = inspect.container(inspected(number, name or f"n{number}"), "E")
    assert found is not None
    view.put(inspect.Found(**{field: getattr(found, field) for field in found.__struct_fields__} | {"itself": itself}))
    return found.container.id


def test_a_list_is_in_the_order_of_ids_whatever_came_and_went() -> None:
    under_test, chance, there = view(0), random.Random(3), {}
    for step in range(300):
        number = chance.randrange(40)
        if number in there and chance.random() < 0.5:
            under_test.remove(there.pop(number)[0])
        else:
            name, itself = f"s{step}", chance.random() < 0.1
            there[number] = put(under_test, number, name, itself=itself), name, itself
        if chance.random() < 0.3:
            expected = sorted((identity, name) for identity, name, itself in there.values() if not itself)
            assert [(c.id, c.name) for c in under_test.listing().containers if c.name != "n0"] == [e for e in expected if e[1] != "n0"]


def test_one_that_has_changed_costs_the_same_among_many_and_the_others_are_the_same_objects() -> None:
    def cost(count: int) -> int:
        under_test = view(count)
        before = under_test.listing().containers
        put(under_test, 7, "other")
        after: list[Sequence[Container]] = []
        found = instructions(lambda: after.append(under_test.listing().containers))
        assert sum(a is not b for a, b in zip(before, after[0], strict=True)) == 1
        return found

    assert cost(1_000) == cost(100)


def test_networks_that_are_listed_anew_and_are_the_same_are_the_same_objects() -> None:
    under_test = view(1)
    for _ in range(2):
        under_test.set_networks([Network(id="a", name="a", engine="E"), Network(id="b", name="b", engine="E")])
        found = under_test.listing().networks
    first = found
    under_test.set_networks([Network(id="a", name="a", engine="E"), Network(id="b", name="other", engine="E")])
    second = under_test.listing().networks
    assert second[0] is first[0]
    assert second[1].name == "other"

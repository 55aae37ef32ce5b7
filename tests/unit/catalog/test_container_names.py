"""Whose names in DNS fall together, and what the others are called then."""

import pytest

from haystack.catalog.container_names import Book
from haystack.loop.turns import at_once
from haystack.model.records import Container


def container(number, name):
    return Container(id=f"{number:x}" * 64, name=name, engine="e")


def labels(*containers):
    """By name: what each is called in DNS where it is not as its name gives."""
    book, known = Book(), {c.id: c for c in containers}
    at_once(book.follow(known, known))
    return {c.name: book.named(c).label for c in containers}


@pytest.mark.parametrize(
    ("names", "longer"),
    [
        (["under_score", "under-score"], {"under_score": "under-score-111111111111"}),
        (
            ["under_score", "under.score", "other_one"],
            {"under_score": "under-score-111111111111", "under.score": "under-score-222222222222"},
        ),
        (["Web", "web"], {"Web": "web-111111111111"}),
        (["my_app", "my_app"], {}),  # of two engines: they are called the same
        (["c" + "2" * 12, "web"], {"c" + "2" * 12: "c222222222222-111111111111"}),
        (["c" + "1" * 12, "web"], {}),
        (["___", "..."], {}),
        ([("x" * 63) + "a", ("x" * 63) + "b"], {("x" * 63) + n: "x" * 50 + "-" + i * 12 for n, i in ("a1", "b2")}),
        ([("x" * 63) + "a", "x" * 63], {("x" * 63) + "a": "x" * 50 + "-" + "1" * 12}),
    ],
)
def test_whose_name_had_to_be_changed_has_its_id_behind_it_where_others_would_have_it_too(names, longer):
    found = labels(*(container(number, name) for number, name in enumerate(names, 1)))
    assert {name: label for name, label in found.items() if label} == longer
    assert all(len(label) <= 63 for label in found.values())


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["a_b", "a-b"], "'a_b' gives a-b in DNS, which container a-b has: it is called a-b-111111111111 there"),
        (["a_b", "a.b"], "'a_b' gives a-b in DNS, as those of others do: it is called a-b-111111111111 there"),
        (
            ["c" + "2" * 12, "web"],
            "'c222222222222' gives c222222222222 in DNS, which is for the id 222222222222: it is called c222222222222-111111111111 there",
        ),
    ],
)
def test_a_name_that_had_to_be_changed_is_a_problem_that_says_why(names, told):
    book, known = Book(), {c.id: c for c in (container(number, name) for number, name in enumerate(names, 1))}
    at_once(book.follow(known, known))
    assert [p.message for p in book.named(known["1" * 64]).problems] == [told]


def test_those_of_whom_nothing_changes_are_not_concerned():
    book = Book()
    known = {c.id: c for c in (container(1, "a_b"), container(2, "a.b"))}
    assert at_once(book.follow(known, known)) == set(known)
    more = known | {c.id: c for c in (container(3, "a,b"), container(4, "other"))}
    assert at_once(book.follow(["3" * 64, "4" * 64], more)) == {"3" * 64}
    assert at_once(book.follow(["3" * 64, "4" * 64], known)) == {"3" * 64}


def test_a_name_is_free_again_when_the_others_have_gone():
    book = Book()
    known = {c.id: c for c in (container(1, "a_b"), container(2, "a-b"))}
    at_once(book.follow(known, known))
    gone = known.pop("2" * 64)
    assert at_once(book.follow([gone.id], known)) == {"1" * 64}
    assert book.named(known["1" * 64]) == known["1" * 64]

import sys

from haystack.catalog.intake import Intake
from haystack.loop.turns import STRETCH, at_once
from haystack.model.records import Container, Listing
from tests.fakes.effort import instructions


def container(number, **more):
    return Container(id=f"{number:05}", name=f"c{number}", engine="E", services=(f"s{number % 7}",), **more)


def listing(*containers):
    return Listing(containers=tuple(containers))


def step(intake, *most):
    return at_once(intake.step(*most))


def ids(intake):
    return {c.id for c in intake.listing.containers}


def test_a_long_list_comes_in_by_portions():
    intake, all_there_are = Intake(), [container(n) for n in range(1000)]
    intake.aim(listing(*all_there_are))
    sizes = [len(step(intake, 30))]
    while intake.behind:
        sizes.append(len(step(intake, 30)))
    assert max(sizes) == 30
    assert sizes.count(30) == 33
    assert sum(sizes) == 1000
    assert sorted(intake.listing.containers, key=lambda c: c.id) == all_there_are


def test_who_leaves_or_changes_comes_before_who_is_new():
    intake = Intake()
    intake.aim(listing(*(container(n) for n in range(10))))
    step(intake)
    assert not intake.behind
    intake.aim(listing(container(1, state="stopping"), *(container(n) for n in range(2, 500))))
    assert not step(intake, 2)
    assert "00000" not in ids(intake)
    assert container(1, state="stopping") in intake.listing.containers
    assert len(step(intake, 2)) == 2


def test_what_is_new_in_a_long_list_is_found_out_little_by_little():
    intake, size = Intake(), 5000
    assert (
        instructions(lambda: intake.aim(listing(*(container(n) for n in range(size)))))
        - instructions(lambda: listing(*(container(n) for n in range(size))))
        < size
    )
    work, longest = intake.step(3), 0
    for _ in range(size):
        longest = max(longest, instructions(lambda: next(work, None)))
    assert longest < 100 * STRETCH
    assert intake.behind
    step(intake, sys.maxsize)
    assert not intake.behind
    assert len(ids(intake)) == size


def test_a_list_that_comes_while_one_is_looked_through_is_looked_through_next():
    intake = Intake()
    intake.aim(listing(*(container(n) for n in range(100))))
    work = intake.step(sys.maxsize)
    next(work)
    intake.aim(listing(container(1, state="stopping"), *(container(n) for n in range(2, 100))))
    at_once(work)
    assert intake.behind
    assert not step(intake)
    assert not intake.behind
    assert "00000" not in ids(intake)
    assert container(1, state="stopping") in intake.listing.containers


def test_a_service_with_thousands_comes_in_by_ever_larger_portions():
    intake = Intake()
    intake.aim(listing(*(Container(id=f"{n:05}", name="c", engine="E", services=("one",)) for n in range(5000))))
    sizes = [len(step(intake))]
    while intake.behind:
        sizes.append(len(step(intake)))
    assert sum(sizes) == 5000
    assert len([size for size in sizes if size]) < 100
    intake.aim(listing())
    steps = 0
    while intake.behind:
        step(intake)
        steps += 1
    assert ids(intake) == set()
    assert steps < 120


def test_who_goes_before_it_came_in_never_does():
    intake = Intake()
    intake.aim(listing(*(container(n) for n in range(10))))
    step(intake, 3)
    intake.aim(listing())
    while intake.behind:
        step(intake, 3)
    assert ids(intake) == set()


def test_one_that_changes_back_while_it_waits_is_no_change():
    intake = Intake()
    intake.aim(listing(container(1)))
    step(intake)
    intake.aim(listing(container(1, state="stopping")))
    intake.aim(listing(container(1)))
    before = intake.listing.containers
    step(intake)
    assert not intake.behind
    assert intake.listing.containers == before


def test_the_first_of_two_that_have_one_id_counts():
    intake = Intake()
    intake.aim(listing(container(1, state="first"), container(1, state="second")))
    step(intake)
    assert [c.state for c in intake.listing.containers] == ["first"]

import sys

from haystack.intake import LOOKS, Intake
from haystack.model import Container, Listing
from tests.fakes.effort import instructions


def container(number, **more):
    return Container(id=f"{number:05}", name=f"c{number}", engine="E", services=(f"s{number % 7}",), **more)


def listing(*containers):
    return Listing(containers=tuple(containers))


def ids(intake):
    return {c.id for c in intake.listing.containers}


def test_a_long_list_comes_in_by_portions():
    intake, all_there_are = Intake(), [container(n) for n in range(1000)]
    intake.aim(listing(*all_there_are))
    sizes = [len(list(intake.step(30)))]
    while intake.behind:
        sizes.append(len(list(intake.step(30))))
    assert max(sizes) < 36  # a quarter of what its service has
    assert sizes.count(30) > 20
    assert sum(sizes) == 1000
    assert sorted(intake.listing.containers, key=lambda c: c.id) == all_there_are


def test_who_leaves_or_changes_comes_before_who_is_new():
    intake = Intake()
    intake.aim(listing(*(container(n) for n in range(10))))
    intake.step()
    assert not intake.behind
    intake.aim(listing(container(1, state="stopping"), *(container(n) for n in range(2, 500))))
    assert not list(intake.step(2))
    assert "00000" not in ids(intake)
    assert container(1, state="stopping") in intake.listing.containers
    assert len(list(intake.step(2))) == 2


def test_what_is_new_in_a_long_list_is_found_out_little_by_little():
    intake, found = Intake(), listing(*(container(n) for n in range(20 * LOOKS)))
    assert instructions(lambda: intake.aim(found)) < 100 * LOOKS
    assert instructions(lambda: intake.step(3)) < 100 * LOOKS
    assert intake.behind
    intake.step(sys.maxsize)
    assert not intake.behind
    assert len(ids(intake)) == 20 * LOOKS


def test_a_service_with_thousands_comes_in_by_ever_larger_portions():
    intake = Intake()
    intake.aim(listing(*(Container(id=f"{n:05}", name="c", engine="E", services=("one",)) for n in range(5000))))
    sizes = [len(list(intake.step()))]
    while intake.behind:
        sizes.append(len(list(intake.step())))
    assert sum(sizes) == 5000
    assert len([size for size in sizes if size]) < 60
    intake.aim(listing())
    steps = 0
    while intake.behind:
        intake.step()
        steps += 1
    assert ids(intake) == set()
    assert steps < 80


def test_who_goes_before_it_came_in_never_does():
    intake = Intake()
    intake.aim(listing(*(container(n) for n in range(10))))
    intake.step(3)
    intake.aim(listing())
    while intake.behind:
        intake.step(3)
    assert ids(intake) == set()


def test_one_that_changes_back_while_it_waits_is_no_change():
    intake = Intake()
    intake.aim(listing(container(1)))
    intake.step()
    intake.aim(listing(container(1, state="stopping")))
    intake.aim(listing(container(1)))
    assert not intake.behind


def test_the_first_of_two_that_have_one_id_counts():
    intake = Intake()
    intake.aim(listing(container(1, state="first"), container(1, state="second")))
    intake.step()
    assert [c.state for c in intake.listing.containers] == ["first"]

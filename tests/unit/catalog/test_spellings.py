"""Services whose names had to be changed: by which others they are asked for, and that different ones are told."""

import pytest

from haystack.catalog import spellings
from haystack.loop.turns import at_once
from haystack.model.records import Container

SHORT = "my-app.nginx"


def container(number, original=None):
    originals = () if original is None else ("other", original)
    return Container(id=f"{number:x}" * 64, name="x", engine="e", services=("other", SHORT), originals=originals)


def of(*originals):
    found = [container(number, original) for number, original in enumerate(originals)]
    return at_once(spellings.of("haystack", f"{SHORT}.services.haystack", found))


@pytest.mark.parametrize(
    ("originals", "spelled"),
    [
        ([None, None], ()),
        (["my_app.nginx", "my_app.nginx"], ("my_app.nginx.services.haystack",)),
        (["my.app.nginx"], ()),
        (["my app.nginx"], ()),
    ],
)
def test_underscores_are_another_spelling(originals, spelled):
    assert of(*originals) == (spelled, ())


def test_containers_of_different_names_that_are_one_service_are_told():
    spelled, (problem,) = of("my_app.nginx", None, "my.app.nginx")
    assert spelled == ("my_app.nginx.services.haystack",)
    told = f"'my-app.nginx' and 'my.app.nginx' and 1 more all give {SHORT}, so their containers are one service: "
    assert (problem.subject, problem.message) == ("service name", f"{told}the label haystack.name=NAME tells them apart")


def test_what_was_cut_is_told_too():
    _, (problem,) = of("x" * 70 + "a", "x" * 70 + "b")
    assert "all give" in problem.message


def test_a_spelling_that_is_too_long_with_its_origin_is_none():
    name = ".".join(["a" * 60] * 3)
    long = f"{'a' * 50}.{'b' * 40}"
    found = Container(id="1" * 64, name="x", engine="e", services=(name,), originals=(name[:-1] + "_a",))
    assert at_once(spellings.of(long, f"{name}.services.{long}", [found]))[0] == ()

"""Container → service names: the cases of docs/naming.md, and odd ones."""

import pytest

from haystack.model import naming
from haystack.model.records import Options


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("nginx", "nginx"),
        ("nginx:1.25", "nginx"),
        ("ghcr.io/a/b/Web:1.2@sha256:0123", "web"),
        ("localhost:5000/web", "web"),
        ("sha256:bcdb9e91c73b", ""),
        ("bcdb9e91c73b", ""),
        ("beefcafe", "beefcafe"),
        ("", ""),
    ],
)
def test_image_is_the_last_part_of_the_repository(reference, name):
    assert naming.repository(reference, "sha256:bcdb9e91c73b0eba15f2") == name


@pytest.mark.parametrize(
    ("name", "image", "expected"),
    [
        ("admiring_curie", "nginx", "nginx"),
        ("web-001", "nginx", "web.nginx"),
        ("my-web-2", "nginx", "my-web.nginx"),
        ("a.b_c-3", "nginx", "a-b-c.nginx"),
        ("web-", "nginx", "nginx"),
        ("-1", "nginx", "nginx"),
        ("web-1a", "nginx", "nginx"),
        ("web-\u0661", "nginx", "nginx"),
        ("web-1", "my_image", "web.my-image"),
    ],
)
def test_group_and_image(name, image, expected):
    assert naming.services(name, image, Options(), {})[0] == (expected,)


def test_compose_adds_a_name_and_swarm_gives_the_group():
    compose = {naming.COMPOSE_SERVICE: "db", naming.COMPOSE_PROJECT: "shop"}
    assert naming.services("shop_db_1", "postgres", Options(), compose)[0] == ("postgres", "db.shop")
    swarm = {naming.SWARM_SERVICE: "shop_web"}
    assert naming.services("shop_web.1.xyz", "nginx", Options(), swarm)[0] == ("shop-web.nginx",)


def test_a_stack_adds_a_name():
    labels = {naming.SWARM_SERVICE: "shop_web_api", naming.STACK: "shop"}
    assert naming.services("shop_web_api.1.xyz", "nginx", Options(), labels)[0] == ("shop-web-api.nginx", "web-api.shop")
    other = {naming.SWARM_SERVICE: "web", naming.STACK: "shop"}  # which was made with the stack's label, and not by it
    assert naming.services("web.1.xyz", "nginx", Options(), other)[0] == ("web.nginx", "web.shop")
    found, (problem,) = naming.services("x.1.y", "nginx", Options(), {naming.SWARM_SERVICE: "shop_", naming.STACK: "shop"})
    assert (found, problem.subject) == (("shop.nginx",), "stack")


def test_labels_replace_name_and_group():
    assert naming.services("web-1", "nginx", Options(name="api.shop"), {})[0] == ("api.shop",)
    assert naming.services("web-1", "nginx", Options(group="other"), {})[0] == ("other.nginx",)


def test_what_gives_no_name_is_told():
    names, problems = naming.services("___-1", "nginx", Options(), {})
    assert names == ("nginx",)
    assert problems[0].subject == "group"
    names, (problem,) = naming.services("x", "", Options(), {})
    assert names == ()
    assert problem.message == "its image has no name, only an id: the label haystack.name=NAME gives it a service"


def test_a_one_off_of_compose_is_in_no_service_whatever_its_labels_say():
    compose = {naming.COMPOSE_SERVICE: "db", naming.COMPOSE_PROJECT: "shop"}
    for told in ("True", "true"):
        labels = compose | {naming.COMPOSE_ONE_OFF: told}
        assert naming.services("shop-db-run-1", "postgres", Options(name="db", group="g"), labels) == ((), ())
    assert naming.services("shop-db-1", "postgres", Options(), compose | {naming.COMPOSE_ONE_OFF: "False"})[0] == (
        "shop-db.postgres",
        "db.shop",
    )


@pytest.mark.parametrize(
    ("name", "image", "labels", "originals"),
    [
        ("web-1", "nginx", {}, ()),
        ("my_app-1", "My_Image", {}, ("my_app.my_image",)),
        ("a.b-1", "nginx", {}, ("a.b.nginx",)),
        ("x", "nginx", {naming.COMPOSE_SERVICE: "my_db", naming.COMPOSE_PROJECT: "shop"}, ("nginx", "my_db.shop")),
        ("x", "nginx", {naming.COMPOSE_SERVICE: "my_db", naming.COMPOSE_PROJECT: "shop", naming.COMPOSE_ONE_OFF: "true"}, ()),
        ("x", "a" * 64, {}, ("a" * 64,)),
    ],
)
def test_what_names_are_made_of(name, image, labels, originals):
    assert naming.originals(name, image, Options(), labels) == originals
    assert len(originals) in (0, len(naming.services(name, image, Options(), labels)[0]))


@pytest.mark.parametrize(
    ("short", "original", "name"),
    [
        ("my-app.nginx", "my_app.nginx", "my_app.nginx"),
        ("a-b.nginx", "a.b.nginx", ""),
        ("web", "web", ""),
        ("my-app", "my app_", ""),
        ("a" * 63, "a_" + "a" * 62, ""),
    ],
)
def test_a_name_with_its_underscores(short, original, name):
    assert naming.underscored(short, original) == name

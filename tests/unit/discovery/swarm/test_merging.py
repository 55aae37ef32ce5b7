"""What a task asks for: the same on a node whose engine is watched as on one that managers alone know of."""

import pytest
from msgspec.structs import replace

from haystack.discovery.docker import inspect
from haystack.discovery.swarm import facts, merging
from haystack.discovery.swarm.answers import ContainerSpec, Service, ServiceSpec, Variables
from haystack.discovery.swarm.facts import Image
from tests.fakes.engine import inspected

RULE = {"traefik.http.routers.admin.rule": "Host(`a.example`)"}


def told(service, *, container=None, image=None, env=(), aliases=(), known=True):
    """Of a task as managers tell of it, and of its container as its engine does, with what managers know. known: they have the image."""
    spec = ContainerSpec(image="nginx", labels=container, environment=Variables(env))
    there = Image(exposed=("80/tcp",), labels=image or {}) if known else None
    made = facts.of(Service(id="s1", spec=ServiceSpec(name="web", labels=service)), spec, there, aliases)
    raw = inspected(1, f"web.1.{1:025d}")
    raw["Config"] |= {"Labels": {**(image or {}), **(container or {})}, "Env": list(env)}
    seen = inspect.container(raw, "e", (), aliases).container
    task = replace(seen, options=made.options, problems=made.problems)
    return task, merging.merged(seen, made, task, None)


@pytest.mark.parametrize(
    ("labels", "more", "field", "expected"),
    [
        # those of the image come last
        ({"haystack.weight": "50"}, {"image": {"haystack.weight": "10"}}, "weight", 50),
        ({"haystack.weight": "100"}, {"container": {"haystack.weight": "50"}, "image": {"haystack.weight": "10"}}, "weight", 50),
        ({"haystack.health.path": "/b"}, {"image": {"haystack.health.path": "/a"}}, "health", {"path": "/b"}),
        # a label of Haystack's own comes before what is read for another proxy, wherever each of them is
        (
            {"haystack.host": "b.example"},
            {"env": ("VIRTUAL_HOST=a.example",), "aliases": ("nginx-proxy",)},
            "hosts", ("b.example",),
        ),
        ({"haystack.host": "b.example"}, {"container": RULE, "aliases": ("traefik",)}, "hosts", ("b.example",)),
        # what keeps people out does so for the labels of both
        ({"traefik.http.routers.admin.middlewares": "auth"}, {"container": RULE, "aliases": ("traefik",)}, "hosts", ()),
    ],
)  # fmt: skip
def test_a_task_asks_for_the_same_whether_its_node_is_watched_or_not(labels, more, field, expected):
    task, watched = told(labels, **more)
    assert getattr(task.options, field) == getattr(watched.options, field) == expected
    assert watched.options == task.options
    assert watched.problems == task.problems


def test_a_task_that_managers_have_not_told_of_is_as_guarded_as_its_service():
    guard = {"traefik.http.routers.admin.middlewares": "auth"}
    spec = ContainerSpec(image="nginx", labels=RULE)
    made = facts.of(Service(id="s1", spec=ServiceSpec(name="web", labels=guard)), spec, Image(exposed=("80/tcp",)), ("traefik",))
    raw = inspected(1, f"web.1.{1:025d}")
    raw["Config"]["Labels"] = RULE
    seen = inspect.container(raw, "e", (), ("traefik",)).container
    assert seen.options.hosts == ("a.example",)
    assert merging.merged(seen, made, None, None).options.hosts == ()


def test_what_is_odd_of_labels_of_a_container_alone_is_not_told_where_its_service_has_the_others():
    task, watched = told({"haystack.protocol": "https"}, container={"haystack.tls.ca": "/ca.pem"})
    assert watched.problems == task.problems == ()
    assert watched.options.tls_ca == "/ca.pem"


def test_labels_of_an_image_that_no_manager_has_count_where_an_engine_has_it():
    image = {"haystack.weight": "10", "haystack.port": "3000", "haystack.health.path": "/a", "haystack.health.interval": "9s"}
    _, watched = told({"haystack.port": "4000", "haystack.health.path": "/b"}, image=image, known=False)
    assert (watched.options.weight, watched.options.port) == (10, 4000)
    assert watched.options.health == {"path": "/b", "interval": "9.0"}

"""Of the environment that managers tell of tasks, services and images, nothing is kept but what is asked for."""

import json

import pytest

from haystack.discovery.aliases import nginx_proxy
from haystack.discovery.swarm.manager import Lists

ENVIRONMENT = ["SECRET=hunter2", "VIRTUAL_HOST=a.example", "VIRTUAL_PORT=3000", "CERT_NAME=hunter2", None, 7]


def read(lists, environment):
    told = [{"ID": "t1", "Spec": {"ContainerSpec": {"Image": "nginx", "Env": environment}}}]
    (task,) = lists.tasks.read([json.dumps(told).encode()])
    return task.spec.container.environment


def test_with_the_alias_its_variables_are_kept_and_of_those_that_are_not_understood_no_value():
    assert read(Lists(("nginx-proxy",)), ENVIRONMENT) == ("CERT_NAME=-", "VIRTUAL_HOST=a.example", "VIRTUAL_PORT=3000")


def test_what_a_service_takes_away_from_its_image_is_away():
    lists = Lists(("nginx-proxy",))
    image = lists.variables(["VIRTUAL_HOST=image.example", "VIRTUAL_PORT=80", "CERT_NAME=x"])
    both = (*image, *read(lists, ["VIRTUAL_HOST=", "VIRTUAL_PORT", "CERT_NAME="]))
    assert nginx_proxy.taken(image) == {"VIRTUAL_HOST": "image.example", "VIRTUAL_PORT": "80", "CERT_NAME": ""}
    assert nginx_proxy.taken(both) == {}


@pytest.mark.parametrize("aliases", [(), ("traefik",)])
def test_without_it_none_is(aliases):
    assert read(Lists(aliases), ENVIRONMENT) == ()


@pytest.mark.parametrize("odd", [None, [], {}, "VIRTUAL_HOST=a.example", 7])
def test_an_environment_of_another_shape_is_as_if_it_were_empty(odd):
    assert read(Lists(("nginx-proxy",)), odd) == ()

"""What `tail` shows, and what it calls an endpoint."""

import json
from types import SimpleNamespace

import pytest

from haystack.console import exchanges
from haystack.console.exchanges import Names, Wanted
from haystack.model.services import Service
from haystack.observe.trace import ITSELF
from tests.fakes.state import ENDPOINT, NAME, picture, state, trace

TARGETS = ["/api", "/api/x?y", "/apis", "/b.png"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [("404", {404}), ("5xx", {500, 503}), ("2xx,404", {200, 404}), ("none", {0}), ("4XX", {404})],
)
def test_a_status_is_one_a_class_or_several(text, shown):
    wanted = Wanted(exchanges.statuses(text))
    assert {status for status in (0, 200, 301, 404, 500, 503) if wanted.fits(trace(status=status))} == shown


@pytest.mark.parametrize("text", ["", "abc", "6xx", "40", "4x4", "404,", "٤٠٤"])
def test_an_odd_status_is_refused(text):
    with pytest.raises(ValueError, match="not a status"):
        exchanges.statuses(text)


@pytest.mark.parametrize(
    ("path", "fits"),
    [
        ("/api", ["/api", "/api/x?y", "/apis"]),
        ("/a*/x", ["/api/x?y"]),
        ("*.png", ["/b.png"]),
        ("", ["/api", "/api/x?y", "/apis", "/b.png"]),
    ],
)
def test_a_path_is_a_beginning_or_a_pattern(path, fits):
    wanted = Wanted(path=path)
    assert [target for target in TARGETS if wanted.fits(trace(target=target))] == fits


def test_slow_ones_and_those_to_haystack_itself():
    assert Wanted(slow=2.25).fits(trace())
    assert not Wanted(slow=2.26).fits(trace())
    assert not Wanted().fits(trace(ITSELF))
    assert Wanted(own=True).fits(trace(ITSELF))


def test_an_endpoint_is_called_as_its_container_and_anew_with_each_snapshot():
    here = state()
    names = Names(here)
    assert names.name(trace()) == "web"
    assert names.name(trace(endpoint="172.17.0.77:80")) == "172.17.0.77:80"
    assert names.name(trace("gone.services.haystack", endpoint="10.0.0.1:80")) == "10.0.0.1:80"
    assert names.name(trace("", endpoint="")) == ""
    assert names.name(trace(ITSELF, endpoint="/run/admin.sock")) == "Haystack"
    here.registry.snapshot = picture("other")
    here.registry.snapshot.version = 5
    assert names.name(trace()) == "other"


def test_names_of_few_services_are_kept():
    services = {f"s{n}": Service(name=f"s{n}", endpoints=(ENDPOINT,)) for n in range(100)}
    names = Names(SimpleNamespace(snapshot=SimpleNamespace(version=1, services=services)))
    assert {names.name(trace(name)) for name in services} == {"web"}
    assert len(names._of) <= exchanges.SERVICES + 1


def test_json_has_the_fields_of_the_access_log_and_is_fit_for_a_terminal():
    text = exchanges.as_json(trace(time=1.5, target="/\x1b[2J\u202e"))
    assert text.isprintable()
    found = json.loads(text)
    assert (found["time"], found["target"], found["service"]) == ("1970-01-01T00:00:01.500000Z", "/\x1b[2J\u202e", NAME)
    assert found["candidates"] == ["172.17.0.9:80", "172.17.0.2:80"]

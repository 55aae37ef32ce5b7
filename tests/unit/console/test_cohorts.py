"""`cohorts`: a line an image of a service, from what the workers counted of its endpoints."""

from __future__ import annotations

import json

from msgspec.structs import replace

from haystack.console.shell import answer, run
from haystack.proxy.traffic import CLASSES, Figures
from tests.fakes.state import ENDPOINT, ID, NAME, picture, state

OTHER = "cd" * 32
ESCAPE = "\x1b[2J"


def figures(requests, errors):
    made = Figures()
    made.classes[CLASSES.index("2xx")], made.classes[CLASSES.index("5xx")] = requests - errors, errors
    made.durations[20] = requests
    return made


def site():
    """Two containers of different images, the second of which fails."""
    shown = picture()
    first = replace(shown.containers[ID], image_id="sha256:" + "1" * 64)
    second = replace(first, id=OTHER, name=f"new{ESCAPE}", image=f"nginx{ESCAPE}", image_id="sha256:" + "2" * 64)
    other = replace(ENDPOINT, id="cdcdcdcdcdcd:80/tcp", container=OTHER, container_name=second.name)
    shown.containers = {ID: first, OTHER: second}
    shown.services = {NAME: replace(shown.services[NAME], endpoints=(ENDPOINT, other))}
    made = state(snapshot=shown)
    made.proxy.traffic.endpoints = {ENDPOINT.id: figures(9000, 3), other.id: figures(900, 90)}
    return made


def test_the_odd_image_is_marked():
    lines = run(site(), ["cohorts", "nginx"]).text.splitlines()
    assert lines[0] == NAME
    assert lines[-2].split() == ["111111111111", "nginx", "web", "1/1", "9,000", "3", "(<", "0.1", "%)", *lines[-2].split()[9:]]
    assert "222222222222" in lines[-1]
    assert "90 (10.0 %)" in lines[-1]
    assert lines[-1].endswith("more errors: 10.0 %, the others < 0.1 %")
    assert ESCAPE not in "".join(lines)


def test_json_has_all_fields():
    old, new = json.loads(run(site(), ["cohorts", NAME, "--json"]).text)
    assert old.keys() == {"image", "digest", "containers", "endpoints", "ready", "panicked", "requests", "errors", "p50", "p99", "odd"}
    assert (new["digest"], new["requests"], bool(new["odd"]), old["odd"]) == ("sha256:" + "2" * 64, 900, True, "")


async def test_the_workers_are_asked_for_their_newest_counts_first():
    made = state()
    result = await answer(made, ["cohorts", "nginx"])
    assert made.proxy.refreshed == 1
    assert result.text.endswith("all its endpoints run one image")


def test_a_service_that_there_is_not():
    result = run(state(), ["cohorts", "ngin"])
    assert (result.status, result.text) == (1, "no service ngin.services.haystack; did you mean nginx?")

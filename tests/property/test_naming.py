"""Whatever a name, label or inspect result holds: nothing raises, and no invalid DNS label comes of it."""

import json

from hypothesis import given
from hypothesis import strategies as st

from haystack.catalog.check import check
from haystack.discovery import labels
from haystack.discovery.address import Surroundings, placed
from haystack.discovery.docker import events, inspect
from haystack.loop.turns import at_once
from haystack.model import naming, ports
from haystack.model.records import Listing
from tests.oracles.snapshot import build

KEYS = ["enable", "name", "group", "port", "network", "host", "path", "weight", "balance", "sticky", "timeout", "health.path", ""]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
all_labels = st.dictionaries(
    st.sampled_from([f"haystack.{k}" for k in KEYS] + [naming.COMPOSE_SERVICE, naming.COMPOSE_PROJECT, naming.SWARM_SERVICE]),
    st.text(),
)


def strange(shape):
    """JSON of this shape in which any part may be missing or something else."""
    if isinstance(shape, dict):
        return json_values | st.fixed_dictionaries({}, optional={k: strange(v) for k, v in shape.items()})
    return json_values | shape


text = st.text(max_size=70)
inspections = strange({
    "Id": st.sampled_from(["a" * 64, "b" * 64]), "Name": text, "Image": text, "Created": text,
    "State": {"Status": st.sampled_from(["running", "paused", "exited"]), "Health": {"Status": text}, "StartedAt": text},
    "Config": {"Image": text, "Labels": all_labels, "ExposedPorts": st.dictionaries(text, st.none()), "StopSignal": text},
    "HostConfig": {"NetworkMode": text, "PortBindings": st.dictionaries(text, st.none())},
    "NetworkSettings": {"Ports": st.dictionaries(text, st.none()), "Networks": {
        "one": {"IPAddress": st.ip_addresses().map(str), "NetworkID": text}, "host": {"IPAddress": text}}},
})  # fmt: skip


@given(st.text())
def test_a_label_is_valid_or_empty(any_text):
    assert naming.label(any_text) == "" or naming.is_label(naming.label(any_text))


@given(st.text(), st.text(), all_labels)
def test_service_names_are_valid(name, image, container_labels):
    options, _ = labels.read(container_labels)
    names, _ = naming.services(name, naming.repository(image), options, container_labels)
    assert all(naming.is_name(n) for n in names)
    assert len(names) == len(set(names))


@given(st.text())
def test_ports_never_raise(any_text):
    port = ports.parse(any_text)
    assert port is None or 1 <= port.number <= ports.HIGHEST


@given(inspections)
def test_any_inspection_beside_a_good_one_makes_a_good_snapshot(raw):
    good = inspect.container({"Id": "f" * 64, "Name": "/good", "State": {"Status": "running"}, "Config": {
        "Image": "nginx", "ExposedPorts": {"80/tcp": {}}},
        "NetworkSettings": {"Networks": {"n": {"IPAddress": "10.0.0.1"}}}}, "e")  # fmt: skip
    inspect.needs_tag(raw)
    found = [f for f in (inspect.container(raw, "e", ["<none>:<none>"]), good) if f]
    containers = tuple(placed(f, Surroundings(), {x.container.id: x for x in found}) for f in found)
    snapshot = build(1, "haystack", {"x": Listing(containers=containers)}, 1.0)
    at_once(check(snapshot))
    assert any(e.container_name == "good" for e in snapshot.services["nginx.services.haystack"].endpoints)


@given(json_values, strange({"Type": st.just("container"), "Action": text, "Actor": {"ID": text, "Attributes": {"signal": text}}}))
def test_any_json_is_an_event_or_none(anything, nearly):
    for raw in (anything, nearly):
        event = events.read(raw)
        assert event is None or events.effect(event, json.dumps(anything)) in events.Effect
    inspect.network(anything, "e")
    inspect.engine(anything, anything, "h", None)

"""Elements of a long list: what is the same text is the same object, and how a list is written costs time at most."""

import json

import pytest

from haystack.discovery.swarm import elements
from haystack.discovery.swarm.answers import Task
from haystack.discovery.swarm.elements import Elements

TASKS = [{"ID": f"t{n}", "Slot": n, "Spec": {"ContainerSpec": {"Image": "nginx", "Labels": {"a": '},{"ID":"x'}}}} for n in range(50)]


def chunks(text, size):
    data = text.encode()
    return [data[at : at + size] for at in range(0, len(data), size)]


@pytest.mark.parametrize("size", [1, 7, 64, 100_000])
@pytest.mark.parametrize("indent", [None, 1])
def test_every_element_is_read_however_it_arrives(size, indent):
    text = json.dumps(TASKS, indent=indent, separators=(",", ":") if indent is None else None)
    found = Elements(Task).read(chunks(text + "\n", size))
    assert [(task.id, task.slot) for task in found] == [(f"t{n}", n) for n in range(50)]


def test_what_has_not_changed_is_the_very_same():
    made = Elements(Task)
    first = made.read(chunks(json.dumps(TASKS, separators=(",", ":")), 4096))
    again = made.read(chunks(json.dumps([*TASKS[:3], TASKS[3] | {"Slot": 99}, *TASKS[4:]], separators=(",", ":")), 4096))
    assert [a is b for a, b in zip(first, again, strict=True)] == [n != 3 for n in range(50)]
    assert again[3].slot == 99


def test_an_element_within_an_element_ends_nothing():
    nested = '[{"ID":"a","Things":[{"x":1},{"ID":"b"}],"Slot":5},{"ID":"c"}]'
    assert [(t.id, t.slot) for t in Elements(Task).read([nested.encode()])] == [("a", 5), ("c", 0)]


def test_one_of_another_shape_costs_itself_alone():
    made = Elements(Task)
    found = made.read([b'[{"ID":"a"},{"ID":"b","Slot":"x","More":[{"y":1},{"ID":"z"}]},{"Slot":3},{"ID":"c"},{"ID":null}]'])
    assert [task.id for task in found] == ["a", "c"]
    assert len(made.bad) == 3
    assert all("Expected" in each or "missing" in each for each in made.bad)


@pytest.mark.parametrize("text", ["[]", "[]\n", "null", " [ ] ", ""])
def test_a_list_without_elements(text):
    if text:
        assert Elements(Task).read([text.encode()]) == []
    else:
        with pytest.raises(ValueError, match="no list"):
            Elements(Task).read([])


@pytest.mark.parametrize("text", ['{"message":"x"}', '[{"ID":"a"},{"ID":"b"', '[{"ID":"a"},{"ID":"b"}', "[1,2"])
def test_what_is_no_list_is_an_error(text):
    with pytest.raises(ValueError):
        Elements(Task).read([text.encode()])


def test_null_is_as_if_it_were_not_there():
    (task,) = Elements(Task).read(
        [b'[{"ID":"a","NetworksAttachments":null,"Spec":{"ContainerSpec":{"Labels":null}},"Status":{"PortStatus":null}}]']
    )
    assert (task.attachments, task.container) == (None, "")


@pytest.mark.parametrize("text", ['[{"ID":"', '[ {"ID": "', '{"message":"', '[{"ID":"a","x":"},{"ID":"'])
def test_what_never_becomes_an_element_is_read_for_no_longer_than_it_may_be(text, monkeypatch):
    monkeypatch.setattr(elements, "LONGEST", 1000)
    came = []

    def chunks():
        yield text.encode()
        for number in range(1000):
            came.append(number)
            yield b"a" * 100

    with pytest.raises(ValueError, match="more than 1000 bytes"):
        Elements(Task).read(chunks())
    assert len(came) <= 12

import gc

from haystack.loop.garbage import Garbage
from haystack.model.snapshot import Change, Snapshot


def snapshot(version, containers, changed=None):
    change = None if changed is None else Change(base=version - 1, containers=frozenset(map(str, range(changed))))
    return Snapshot(version=version, created=0.0, origin="haystack", change=change, containers=dict.fromkeys(map(str, range(containers))))


def test_a_first_list_is_set_aside_and_a_change_is_not(monkeypatch):
    frozen = []
    monkeypatch.setattr(gc, "freeze", lambda: frozen.append(1))
    under_test = Garbage()
    under_test.follow(snapshot(1, 1000))
    assert len(frozen) == 1
    for version in range(2, 200):
        under_test.follow(snapshot(version, 1000, changed=1))
    assert len(frozen) == 1
    under_test.follow(snapshot(200, 1000, changed=50))
    assert len(frozen) == 2


def test_few_containers_are_never_set_aside(monkeypatch):
    monkeypatch.setattr(gc, "freeze", None)
    under_test = Garbage()
    for version in range(1, 10):
        under_test.follow(snapshot(version, 20))

import gc

from haystack.loop import garbage
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


def test_no_search_looks_through_more_than_a_thousand_objects():
    """Each takes about a microsecond and a half, and three where it is garbage, which has to be taken apart."""
    before, looked_through, kept = gc.get_threshold(), [], []

    def note(phase, info):
        if phase == "start":
            looked_through.append(sum(len(gc.get_objects(young)) for young in range(info["generation"] + 1)))

    gc.collect()
    gc.freeze()
    garbage.seldom()
    gc.callbacks.append(note)
    try:
        kept.extend([n] for n in range(20_000))
    finally:
        gc.callbacks.remove(note)
        gc.set_threshold(*before)
        gc.unfreeze()
    assert len(looked_through) > 20
    assert max(looked_through) <= 1000

"""How the tests are shared among processes: each test once, the engine's in one process, and those that measure alone and last."""

from collections import deque
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests import sharing

ROOT = Path(__file__).parents[2]
MEASURED = [f"{file}::test_{n}" for file in sharing.MEASURE[:2] for n in range(3)]
ENGINES = [f"tests/integration/test_{name}.py::test_{n}" for name in "ab" for n in range(4)]
OTHERS = [f"tests/unit/test_{name}.py::test_{n}" for name in "abcdef" for n in range(5)]


class Process:
    """One that takes part: like pytest-xdist's, it begins a test only when it knows which is next, or that none is."""

    def __init__(self, name):
        self.gateway = SimpleNamespace(id=name)
        self.given, self.done = deque(), []
        self.shutting_down = False

    def send_runtest_some(self, numbers):
        assert not self.shutting_down
        self.given += numbers

    def shutdown(self):
        self.shutting_down = True

    @property
    def ready(self):
        return len(self.given) > (0 if self.shutting_down else 1)


class Run:
    """All of them, and what was under way beside each test."""

    def __init__(self, tests, count=3):
        self.tests = sorted(tests, key=sharing.place)
        config = SimpleNamespace(option=SimpleNamespace(tx=["popen"] * count), getvalue=lambda _: ["popen"] * count)
        self.processes = [Process(f"p{n}") for n in range(count)]
        self.sharing = sharing.Sharing(config)
        self.beside = {}
        for each in self.processes:
            self.join(each)
        self.sharing.schedule()

    def join(self, process):
        self.sharing.add_node(process)
        self.sharing.add_node_collection(process, self.tests)

    def step(self):
        """Each does a test, or ends; whether anything was done. The end begins as pytest-xdist has it."""
        if self.sharing.tests_finished:
            for each in self.processes:
                each.shutdown()
        ready = [each for each in self.processes if each.ready]
        for each in ready:
            number = each.given.popleft()
            self.beside[self.tests[number]] = len(ready) - 1
            each.done.append(self.tests[number])
            self.sharing.mark_test_complete(each, number)
        ended = [each for each in self.processes if each.shutting_down and not each.given]
        for each in ended:
            self.processes.remove(each)
            if each in self.sharing.nodes:
                assert self.sharing.remove_node(each) is None
        return ready or ended

    def finish(self):
        all_of_them = list(self.processes)
        while self.step():
            pass
        assert not self.processes, "a process waits for ever"
        return [test for each in all_of_them for test in each.done]


@pytest.mark.parametrize("count", [1, 2, 3, 30])
@pytest.mark.parametrize(
    "tests", [OTHERS, MEASURED, ENGINES, OTHERS[:1] + MEASURED[:1], MEASURED + OTHERS + ENGINES, OTHERS[:6] + MEASURED]
)
def test_each_test_is_done_once_and_nothing_is_beside_those_that_measure(tests, count):
    run = Run(tests, count)
    assert sorted(run.finish()) == sorted(tests)
    assert {run.beside[test] for test in tests if test in MEASURED} <= {0}


def test_the_tests_of_the_engine_are_done_by_one_process_from_the_start():
    run = Run(OTHERS + ENGINES)
    (engines, *_) = run.processes
    run.step()
    assert engines.done == ENGINES[:1]
    run.finish()
    assert [test for test in engines.done if test in ENGINES] == ENGINES


@pytest.mark.parametrize("steps", range(30))
def test_where_a_process_dies_another_one_does_the_rest(steps):
    run = Run(OTHERS + MEASURED, 2)
    for _ in range(steps):
        run.step()
    if not run.processes:
        return
    dead = run.processes.pop()
    died_of = run.sharing.remove_node(dead)
    done = set(run.beside) | {died_of}
    fresh = Process("another")
    run.processes.append(fresh)
    run.join(fresh)
    run.sharing.schedule()
    run.finish()
    assert done | set(run.beside) >= set(OTHERS + MEASURED)


def test_one_that_has_not_said_its_tests_yet_gets_none():
    """Another process ends while the one that stands in for a dead one still looks which tests there are."""
    run = Run(OTHERS + MEASURED, 2)
    run.step()
    died_of = run.sharing.remove_node(run.processes.pop())
    fresh = Process("another")
    run.sharing.add_node(fresh)
    run.processes[0].shutdown()  # it does what it has, and ends
    while run.step():
        pass
    assert not fresh.given
    assert not run.processes
    run.processes.append(fresh)
    run.sharing.add_node_collection(fresh, run.tests)
    run.sharing.schedule()
    run.finish()
    assert {died_of, *run.beside} >= set(OTHERS + MEASURED)


def test_what_is_named_is_there():
    assert [name for name in (*sharing.MEASURE, *sharing.FIRST) if not (ROOT / name).exists()] == []

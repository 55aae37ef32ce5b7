"""For all tests: no setting of the machine they run on reaches them."""

import os

import pytest
from hypothesis import settings

from tests import sharing
from tests.fakes import worker

# how long an example takes says something of the machine only
settings.register_profile("haystack", deadline=None)
settings.load_profile("haystack")

KEPT = ("HAYSTACK_TEST_", "HAYSTACK_DEBUG")
DIED: list[object] = []  # why processes of pytest-xdist have


@pytest.fixture(autouse=True, scope="session")
def none_outlives_the_tests():
    """A Haystack that a test has started and lost would hold its ports, and the memory, until the machine is switched off."""
    yield
    left = worker.left()
    assert not left, left


@pytest.fixture(autouse=True)
def settings_of_this_machine_do_not_count(monkeypatch):
    for name in list(os.environ):
        if name.startswith("HAYSTACK_") and not name.startswith(KEPT):
            monkeypatch.delenv(name)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node, error):
    if error:  # also after its last test, where no test fails by it
        DIED.append(error)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session):
    if DIED and session.exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    return sharing.Sharing(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    if hasattr(config, "workerinput"):  # one of several processes, which all put them in the same order
        items.sort(key=lambda item: sharing.place(item.nodeid))

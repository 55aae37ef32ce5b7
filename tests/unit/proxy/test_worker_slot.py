"""The log messages about a worker that ended."""

import pytest

from haystack.proxy import worker_slot


@pytest.mark.parametrize(
    ("status", "told"), [(23, "it ended with status 23"), (-9, "killed by signal 9 (Killed)"), (None, "it could not be started")]
)
def test_an_end_is_told_in_words(status, told):
    assert worker_slot.ended(status) == told

"""Slow start: from a tenth to all of the weight."""

import pytest

from haystack.health.ramp import length, share
from haystack.model.records import Options


@pytest.mark.parametrize(
    ("after", "part"), [(0, 0.1), (0.9, 0.1), (1, 0.1), (1.1, 0.2), (5, 0.5), (9.9, 1.0), (10, 1.0), (1e6, 1.0), (-5, 1.0)]
)
def test_the_share_of_the_weight_grows_in_ten_steps(after, part):
    assert share(10.0, 100.0, 100.0 + after) == part


def test_slow_start_is_off_without_the_label():
    assert length(Options()) == 0
    assert length(Options(health={"slow_start": "30.0"})) == 30
    assert share(0.0, 100.0, 100.0) == 1.0

"""What a route makes of the options that are in effect."""

from __future__ import annotations

import pytest

from haystack._fast.balance import pickers
from haystack._fast.endpoint.endpoint import Route
from haystack.model.service_options import ServiceOptions


def route(**options: float) -> Route:
    return Route("web", pickers.make("random", [], []), ServiceOptions(**options))


@pytest.mark.parametrize(("seconds", "milliseconds"), [(60.0, 60_000), (0.5, 500), (0.0001, 1)])
def test_a_time_limit_is_of_milliseconds_and_never_of_none(seconds: float, milliseconds: int) -> None:
    assert route(timeout=seconds).timeout_ms == milliseconds


@pytest.mark.parametrize(("seconds", "milliseconds"), [(10.0, 10_000), (0.5, 500), (0.0, 0)])
def test_to_wait_is_of_milliseconds_or_not_at_all(seconds: float, milliseconds: int) -> None:
    assert route(timeout=1.0, wait=seconds).wait_ms == milliseconds


def test_what_is_not_told_is_not_done() -> None:
    made = route()
    assert (made.timeout_ms, made.wait_ms) == (1, 0)

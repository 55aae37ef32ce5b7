"""What is told of certificates as a whole, as the settings have it."""

from __future__ import annotations

from typing import Any, cast

import pytest

from haystack.model.records import Problem
from haystack.settings.settings import load
from haystack.startup.certificates import Certifying
from haystack.tls.sources import UNSEALED
from haystack.tls.store import Store


class Told:
    """The part of a registry that hears of problems."""

    def __init__(self) -> None:
        self.problems: dict[str, tuple[Problem, ...]] = {}

    def take_problems(self, problems: tuple[Problem, ...], source: str = "") -> None:
        self.problems[source] = problems

    def take_service_problems(self, problems: Any) -> None:
        """There are no services."""


@pytest.mark.parametrize(("flags", "count"), [({}, 1), ({"certs": "/srv/certs"}, 0), ({"https": "on"}, 0)])
async def test_a_redirect_by_setting_that_nothing_listens_for_is_one_problem(flags: dict[str, str], count: int) -> None:
    told = Told()
    nothing = cast("Any", None)
    certifying = Certifying(load({"https": "redirect", **flags}), Store(), cast("Any", told), nothing, nothing, "x")
    for work in certifying.work():
        work.close()
    found = [(each.subject, each.message) for some in told.problems.values() for each in some]
    assert found == [("HAYSTACK_HTTPS", f"'redirect' has no effect: {UNSEALED}")] * count

"""Options of services: what is in effect, and how people see it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from haystack.model.service_options import RETRIED, SPECS, ServiceOptions, effective, usual
from haystack.model.services import Carried, Service

SETTINGS = SimpleNamespace(balance="p2c", timeout=60.0, wait=10.0, https="redirect")
USUAL = usual(SETTINGS, public=True)


def test_where_no_label_asks_the_settings_count_and_else_what_is_usual() -> None:
    nothing = {"sticky": "", "max_connections": 0, "upgrade": (), "hsts_max_age": 0}
    assert ServiceOptions(balance="p2c", timeout=60.0, wait=10.0, retry=RETRIED, https="redirect", **nothing) == USUAL
    assert effective(Service(name="web"), USUAL) is USUAL


def test_a_service_without_a_public_name_is_not_redirected_by_a_setting() -> None:
    assert usual(SETTINGS, public=False).https == "on"


@pytest.mark.parametrize("of", [Service, Carried])
def test_what_a_label_asks_for_is_in_effect_also_nothing(of: type) -> None:
    named = {"name": "web"} if of is Service else {"host": "a.example"}
    found = effective(of(**named, wait=0.0, retry=(), sticky="s"), USUAL)
    assert type(found) is ServiceOptions
    assert (found.wait, found.retry, found.sticky, found.timeout, found.https) == (0.0, (), "s", 60.0, "redirect")


@pytest.mark.parametrize(
    ("option", "value", "shown"),
    [
        ("balance", "hash:path", "hash:path"),
        ("sticky", "", "off"),
        ("sticky", "backend", "backend"),
        ("timeout", 0.5, "0.5s"),
        ("wait", 0.0, "off"),
        ("wait", 30.0, "30s"),
        ("retry", (), "off"),
        ("retry", (502, 503), "502,503"),
        ("max_connections", 0, "unlimited"),
        ("max_connections", 20, "20"),
        ("https", "redirect", "redirect"),
        ("hsts_max_age", 0, "off"),
        ("hsts_max_age", 15552000, "15552000s"),
        ("upgrade", ("tcp", "foo"), "tcp,foo"),
    ],
)
def test_people_see_a_value_as_a_label_has_it(option: str, value: object, shown: str) -> None:
    assert SPECS[option].shown(value) == shown

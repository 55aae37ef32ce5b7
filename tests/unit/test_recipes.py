"""The recipes of CONTRIBUTING.md are true: each table has all that others have of the same thing, and so have the pages.

test_reference.py compares what labels and settings take with the docs; observe/test_log_events.py does so with events of the log.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from haystack._fast import testing
from haystack._fast.balance import pickers
from haystack._fast.endpoint.endpoint import Endpoint, Route
from haystack._fast.log.access_line import FIELDS
from haystack._fast.worker.limits import Limits as Compiled
from haystack.command_line import commands as command_line
from haystack.console import command, shell
from haystack.console.commands import limits as shell_limits
from haystack.discovery import labels, providers
from haystack.loop.turns import at_once
from haystack.model import ports, service_options
from haystack.model.records import ConnectionOptions, Container, Listing, Options
from haystack.model.service_options import SPECS, ServiceOptions
from haystack.model.services import Cause, Service
from haystack.observe.trace import Trace
from haystack.proxy import limits
from haystack.proxy.limits import Limits
from haystack.proxy.worker_trust import WorkerTrust
from haystack.routing.rows import ServiceRow
from haystack.settings import balance
from haystack.settings.settings import SECRET, Settings, flag, load, variable
from haystack.views import in_effect, metrics, traffic_metrics
from tests.fakes.metrics import all_figures
from tests.fakes.state import state
from tests.fakes.usual import usual
from tests.oracles import routing_table, snapshot
from tests.unit.test_reference import LABELS, bare, rows

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
DEFAULTS = usual("p2c", 60.0, 10.0)
FILES = 3  # that an addition touches at most, beside its own module
OPTIONS, CONNECTION = ServiceOptions.__struct_fields__, ConnectionOptions.__struct_fields__
NOT_OF_LABELS = {"labelled", "health"}  # what reading the labels adds


# The recipes themselves.


def recipes() -> Iterator[tuple[str, str, str]]:
    """(addition, its own module, where else) of each row."""
    text = (ROOT / "CONTRIBUTING.md").read_text().partition("## One place for each addition")[2].partition("\n## ")[0]
    for line in text.splitlines():
        if line.startswith("| ") and not line.startswith(("| ---", "| Addition")):
            addition, own, elsewhere = (cell.strip().replace("\\_", "_") for cell in line.strip("|").split("|"))
            yield addition, own, elsewhere


def files(cell: str) -> set[str]:
    return set(re.findall(r"[\w/]+\.(?:pyx|pxd|pyi|py|md)\b", cell))


@pytest.mark.parametrize("recipe", list(recipes()), ids=lambda recipe: recipe[0])
def test_a_recipe_names_files_that_there_are_and_three_at_most(recipe):
    assert [file for cell in recipe for file in files(cell) if not (ROOT / file).is_file()] == []
    assert len(files(recipe[2])) <= FILES


def test_no_recipe_leaves_files_to_another_one_unseen():
    assert [recipe[0] for recipe in recipes() if re.search(r"as above|as for|the same", " ".join(recipe))] == []


@pytest.mark.parametrize("recipe", list(recipes()), ids=lambda recipe: recipe[0])
def test_a_recipe_names_words_that_its_files_have(recipe):
    text = "".join((ROOT / file).read_text() for cell in recipe for file in files(cell))
    assert [word for cell in recipe[1:] for word in re.findall(r"`(\w+)`", cell) if not re.search(rf"\b{word}\b", text)] == []


class Noted:
    """Settings, or options, that note which of them are read."""

    def __init__(self, noted: object) -> None:
        self.noted, self.read = noted, set()

    def __getattr__(self, name):
        self.read.add(name)
        return getattr(self.noted, name)


# A label.

OTHERS = {
    "timeout": "7s",
    "wait": "7s",
    "retry": "off",
    "max_connections": "7",
    "https": "off",
    "hsts_max_age": "7s",
}  # values that no example has; else a word


def test_each_label_is_an_option_and_each_option_a_label():
    assert {field for field, _ in labels._READERS.values()} == set(Options.__struct_fields__) - NOT_OF_LABELS


def test_check_tells_of_each_label_that_it_can_not_use(tmp_path, capsys):
    static = tmp_path / "static.toml"
    told = "".join(f'"{bare(row[0])}" = ""\n' for row in LABELS)
    static.write_text(f'[[container]]\nname = "x"\nimage = "x"\naddress = "192.0.2.1"\n[container.labels]\n{told}')
    command_line.main(["check", "--static", str(static)])
    shown = capsys.readouterr().out
    assert [name for name in labels.NAMES if f"label {labels.PREFIX}{name}: '' is not " not in shown] == []


def test_a_label_of_services_is_named_where_its_recipe_says_and_nowhere_else():
    """hsts_max_age is heeded by routes alone: no module on its way from the label to the route has to name it."""
    (recipe,) = (each for each in recipes() if each[0].startswith("a label of services"))
    modules = (path for path in (ROOT / "haystack").rglob("*.p*") if path.suffix in (".py", ".pyx", ".pxd", ".pyi"))
    naming = {str(path.relative_to(ROOT)) for path in modules if re.search(r"\bhsts_max_age\b", path.read_text())}
    assert naming <= {file for cell in recipe for file in files(cell)}


def test_each_option_of_a_service_is_specified():
    """It has a default, of its type."""
    assert set(SPECS) == set(OPTIONS) <= set(Service.__struct_fields__) & set(Options.__struct_fields__)
    for public in (True, False):
        complete = service_options.usual(load(), public=public)
        assert [name for name in OPTIONS if getattr(complete, name) is None] == []
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(complete), type=ServiceOptions) == complete


def test_each_option_of_a_service_is_among_those_that_explain_shows():
    made = built(Options(upgrade=("any",)))
    shown = {each.name for each in in_effect.options(state(), made, made, in_effect.UNSEEN)}
    assert set(OPTIONS) <= shown


@pytest.mark.parametrize("option", OPTIONS)
def test_the_label_of_a_service_changes_its_row_and_one_container_that_differs_is_told(option):
    word = next(word for word, (field, _) in labels._READERS.items() if field == option)
    example = next(bare(row[4]) for row in LABELS if bare(row[0]) == labels.PREFIX + word)
    found, _ = labels.read({labels.PREFIX + word: example})
    other, _ = labels.read({labels.PREFIX + word: OTHERS.get(word, "random")})
    assert row(found) != row(Options())
    made = built(found, other)
    assert [p.subject for p in made.problems] == [f"label {labels.PREFIX}{word}"]


def built(*options: Options) -> Service:
    """A service of a container for each of these."""
    told = [
        Container(
            id=f"{n}" * 64, name="x", engine="e", services=("x",), address=f"192.0.2.{n}", ports=(ports.named(80, "tcp"),), options=each
        )
        for n, each in enumerate(options, 1)
    ]
    return snapshot.build(1, "haystack", {"x": Listing(containers=tuple(told))}, 0.0).services["x.services.haystack"]


def row(options: Options) -> ServiceRow:
    """What workers are told of such a service."""
    (made,) = routing_table.rows(built(options), DEFAULTS)
    return made


@pytest.mark.parametrize("word", [word for word, (field, _) in labels._READERS.items() if field in CONNECTION])
def test_the_label_of_an_endpoint_changes_its_row(word):
    example = next(bare(each[4]) for each in LABELS if bare(each[0]) == labels.PREFIX + word)
    found, _ = labels.read({"haystack.protocol": "https", labels.PREFIX + word: example})
    asked, _ = labels.read({"haystack.protocol": "http" if word == "protocol" else "https"})
    assert row(found).listeners != row(asked).listeners


def test_a_route_heeds_each_option():
    noted = Noted(row(Options()).options)
    Route("x", pickers.make("p2c", [], []), noted)
    held = {"max_connections"}  # by the members' endpoints (Routes)
    assert noted.read == set(OPTIONS) - held


def test_a_worker_heeds_each_option_of_a_connection():
    assert set(CONNECTION) <= {field for field, _ in labels._READERS.values()} & set(Options.__struct_fields__)
    noted = Noted(ConnectionOptions(protocol="https"))
    client = WorkerTrust([].append).client(noted)
    Endpoint("x", ("192.0.2.1", 443)).use(noted, client)
    assert noted.read == set(CONNECTION)


# A setting.


@pytest.mark.parametrize("field", Settings.model_fields)
def test_a_setting_has_a_flag_and_is_shown_by_check(field):
    assert variable(field) in load().shown()
    secret = field in SECRET  # not in the help, and refused: others would see it in the list of processes
    assert secret or flag(field) in command_line.parser("run").format_help()


@pytest.mark.parametrize("field", Settings.model_fields)
def test_a_setting_is_heeded_by_somebody(field):
    read = re.compile(rf"\b(?:_?settings|policy)\.{field.removesuffix('_file')}\b")
    modules = (path for path in (ROOT / "haystack").rglob("*.py") if path.name != "settings.py")
    assert any(read.search(path.read_text()) for path in modules), f"nobody reads settings.{field}"


# A limit.


def test_a_worker_has_each_limit_and_no_other():
    assert sorted(name for name in dir(Compiled) if name != "set" and not name.startswith("_")) == sorted(Limits.__struct_fields__)


def test_a_worker_holds_to_each_limit():
    told = {name: number for number, name in enumerate(Limits.__struct_fields__, 1)}
    held = Compiled()
    held.set(Limits(**told))
    assert {name: getattr(held, name) for name in told} == told


def test_the_page_of_limits_has_each_setting_that_is_one():
    noted = Noted(load())
    limits.of(noted)
    page = (DOCS / "limits.md").read_text()
    assert [name for name in sorted(noted.read - {"workers"}) if variable(name) not in page] == []


def test_the_shell_lists_each_setting_that_is_a_limit():
    noted = Noted(load())
    limits.of(noted)
    listed = {setting for each in shell_limits.LIMITS for setting in each.settings}
    assert noted.read - {"workers", "h2c"} <= listed  # h2c is a switch


# A field of the access log.


def fields(table: str) -> set[str]:
    """The names in the first cells of the table of a page's section."""
    return {name.strip() for line in table.splitlines() if line.startswith("| ") for name in line.split("|")[1].split(",")} - {
        "field",
        "---",
    }


def test_a_line_has_each_field_of_a_trace_and_so_have_the_page_and_the_oracle():
    told = {name: kind() for name, kind in zip(Trace.__struct_fields__, kinds(), strict=True)}
    line = json.loads(testing.access_line("json", Trace(**told), tuple(FIELDS)))
    assert set(line) == set(Trace.__struct_fields__)
    section = (DOCS / "logs.md").read_text().partition("can have these fields:")[2].partition("\n\nA quote")[0]
    assert fields(section) == set(line)
    assert [known for known, *_ in FIELDS.values() if f"`{known}`" not in section] == []
    oracle = (ROOT / "tests" / "unit" / "fast" / "test_logline.py").read_text().partition("TRACES = ")[2].partition("# fmt")[0]
    assert [name for name in line if f"{name}=" not in oracle] == []


def kinds() -> Iterator[type]:
    """Of a trace's fields, in their order."""
    named = {"float": float, "int": int, "str": str, "bool": bool, "tuple[str, ...]": tuple}
    return (named[Trace.__annotations__[name]] for name in Trace.__struct_fields__)


# A picker.


def test_each_file_of_a_picker_is_in_the_table():
    others = {"__init__", "pickers", "affinity"}
    there = {path.stem for path in (ROOT / "haystack" / "_fast" / "balance").glob("*.pyx")} - others
    assert {kind.__module__.rpartition(".")[2] for kind in pickers.PICKERS.values()} == there


def test_the_readme_has_each_algorithm_and_labels_and_settings_take_it():
    section = (ROOT / "README.md").read_text().partition("## Load balancing")[2].partition("\n\n")[0]
    told = [word for line in section.splitlines()[2:] for word in re.findall(r"`([^`]+)`", line.split("|")[1])]
    assert told == [*balance.BALANCES, *balance.KEYS]
    assert tuple(pickers.PICKERS) == balance.BALANCES
    for word in told:
        assert load({"balance": word}).balance == labels.read({"haystack.balance": word})[0].balance


# A source of containers.


def test_each_provider_is_made_where_all_are():
    found = {
        name
        for path in (ROOT / "haystack" / "discovery").rglob("*.py")
        for name in re.findall(r"^class (\w+Provider)\b", path.read_text(), re.MULTILINE)
    }
    made = {
        type(getattr(each, "provider", each)).__name__
        for each in providers(load({"static": "x.toml"})) + providers(load()) + providers(load(), demo=True)
    }
    assert made == found


# A command of the shell.


def test_the_page_has_each_command_as_help_shows_it():
    assert [(bare(usage), told) for usage, told in rows("shell.md")] == [(c.usage, c.summary) for c in shell.COMMANDS.values()]
    shown = shell.run(state(), ["help"]).text
    assert [c.usage for c in shell.COMMANDS.values() if c.usage not in shown or c.summary not in shown] == []


@pytest.mark.parametrize("name", shell.COMMANDS)
def test_what_completes_a_command_is_taken_by_it(name):
    found, before = shell.COMMANDS[name], [name]
    for each in found.words:
        offered = shell.completions(state(), before)
        if not isinstance(each.completes, command.Kind):
            assert [word for word in offered if not word.startswith("-")] == list(each.completes)
        for word in offered if each.completes else ():
            if not word.startswith("-"):
                taken = shell.run(state(), [*before, word])
                assert taken.status != command.USAGE or "are required" in taken.text  # the words behind it
        before.append(next((word for word in offered if each.completes and not word.startswith("-")), "172.17.0.2"))
    flags = {each.flags[0] for each in found.options}
    assert {word for word in shell.completions(state(), before) if word.startswith("-")} == flags


# A metric.


def test_the_page_has_each_metric_with_its_type_and_labels():
    page = b"".join(at_once(metrics.Exposition(all_figures()).pieces())).decode()
    told = {
        (family.name + "_total" * (family.type == "counter"), family.type, frozenset(family.samples[0].labels) - {"le"})
        for family in text_string_to_metric_families(page)
    }
    listed = {(bare(name), kind, frozenset(re.findall(r"`(\w+)`", labelled))) for name, kind, labelled, _ in rows("metrics.md")}
    assert told == listed


def test_the_page_has_each_cause_for_which_an_endpoint_is_out():
    (told,) = (meaning for name, _, _, meaning in rows("metrics.md") if bare(name) == "haystack_endpoints_unready")
    assert set(re.findall(r"`(\w+)`", told)) == {cause.name.lower() for cause in Cause} - {"well"}


@pytest.mark.parametrize("family", [each.name for each in (metrics.REQUESTS, *traffic_metrics.ENDPOINT_FAMILIES)])
def test_each_metric_of_an_endpoint_names_it_by_its_container_and_port(family):
    page = b"".join(at_once(metrics.Exposition(all_figures()).pieces())).decode()
    found = re.findall(rf"^{family}(?:_sum)?{{(.*)}} ", page, re.MULTILINE)
    assert found
    for told in found:
        named = dict(re.findall(r'(\w+)="([^"]*)"', told))
        assert re.fullmatch(r"\w+:[0-9]+/tcp", named["endpoint"])
        assert named["container"] == named["endpoint"].partition(":")[0]

"""The reference pages say what the code does: each name, what it takes, its default, an example that works, and no more than there is."""

import re
from pathlib import Path

import pytest

from haystack.command_line import commands
from haystack.discovery import labels
from haystack.health import probe
from haystack.model import naming
from haystack.model.records import SPOKEN, Options
from haystack.model.service_options import RETRIED
from haystack.settings import balance
from haystack.settings.settings import Settings, display, load, variable

DOCS = Path(__file__).parents[2] / "docs"
FIELDS = {variable(field): field for field in Settings.model_fields}
SETTINGS_OF_LABELS = {"balance", "timeout", "wait", "https"}
PROBES = {"interval": f"{probe.INTERVAL:g}s", "timeout": f"{probe.TIMEOUT:g}s", "rise": str(probe.RISE), "fall": str(probe.FALL)}


def rows(page):
    """The cells of every table's rows, in the order of the page."""
    lines = (DOCS / page).read_text().splitlines()
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines if line.startswith("| `")]
    return [[cell.replace("\\|", "|") for cell in row] for row in cells]


def bare(cell):
    return cell.strip("`")


SETTINGS, LABELS = rows("settings.md"), rows("labels.md")
LINKED = {"one of the [algorithms](../README.md#load-balancing)": balance.TAKES}  # cells that lead to a table (test_recipes.py compares it)


def takes(cell):
    """What a cell says of a value, in full."""
    return LINKED.get(cell, cell)


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch):
    for name in FIELDS:
        monkeypatch.delenv(name, raising=False)


def test_the_pages_have_every_name_once_and_no_other():
    assert sorted(bare(row[0]) for row in SETTINGS) == sorted(FIELDS)
    assert sorted(bare(row[0]).removeprefix(labels.PREFIX) for row in LABELS) == sorted(labels.NAMES)


@pytest.mark.parametrize("row", SETTINGS, ids=lambda row: bare(row[0]))
def test_a_setting_takes_what_the_page_says_and_has_that_default(row):
    field = FIELDS[bare(row[0])]
    assert row[1]
    assert takes(row[2]) == Settings.model_fields[field].description
    default = display(field, getattr(load(), field))
    assert row[3] == ("the number of CPUs" if field == "workers" else "" if default == "-" else f"`{default}`")


@pytest.mark.parametrize("row", SETTINGS, ids=lambda row: bare(row[0]))
def test_the_example_of_a_setting_works_and_changes_something(row, monkeypatch, tmp_path):
    name, example = bare(row[0]), bare(row[4])
    field = FIELDS[name]
    if name in ("DOCKER_CERT", "DOCKER_KEY"):  # they go together
        monkeypatch.setenv("DOCKER_KEY" if name == "DOCKER_CERT" else "DOCKER_CERT", example)
    if field.endswith("_file") and field.startswith("docker_"):  # they are read at once
        pem = "-----BEGIN X-----\nYQ==\n-----END X-----\n"
        (tmp_path / "pem").write_text(pem)
        monkeypatch.setenv(name, str(tmp_path / "pem"))
        monkeypatch.setenv({"docker_cert_file": "DOCKER_KEY", "docker_key_file": "DOCKER_CERT"}.get(field, "DOCKER_CA_FILE_OTHER"), pem)
        assert getattr(load(), field.removesuffix("_file")) == pem
        return
    if field == "acme_eab_file":  # the same
        (tmp_path / "eab").write_text("kid:0123456789abcdef\n")
        monkeypatch.setenv(name, str(tmp_path / "eab"))
        assert load().acme_eab == "kid:0123456789abcdef"
        return
    default = getattr(load(), field) if name not in ("DOCKER_CERT", "DOCKER_KEY") else None
    monkeypatch.setenv(name, example)
    assert field == "workers" or getattr(load(), field) != default


@pytest.mark.parametrize("row", LABELS, ids=lambda row: bare(row[0]))
def test_a_label_takes_what_the_page_says(row):
    _, (problem, *_) = labels.read({bare(row[0]): ""})
    assert row[1]
    assert problem.message == f"'' is not {takes(row[2])}; label ignored"


@pytest.mark.parametrize("row", LABELS, ids=lambda row: bare(row[0]))
def test_the_example_of_a_label_works_and_changes_something(row):
    probed = {"haystack.health.path": "/"} if re.match("`haystack.health.(?!grpc)", row[0]) else {}
    probed |= {"haystack.protocol": "https"} if row[0].startswith("`haystack.tls.") else {}
    options, problems = labels.read(probed | {bare(row[0]): bare(row[4])})
    assert [p.message for p in problems if "is off: who" not in p.message] == []
    assert options != labels.read(probed)[0]


@pytest.mark.parametrize("row", LABELS, ids=lambda row: bare(row[0]))
def test_a_label_has_the_default_that_the_page_says(row):
    word, default = bare(row[0]).removeprefix(labels.PREFIX), bare(row[3])
    told = {f"health.{name}": text for name, text in PROBES.items()} | {
        "enable": "true" if Options().enable else "false",
        "eject": "true" if Options().eject else "false",
        "public": "false",
        "protocol": SPOKEN[0],
        "tls.verify": "true" if Options().tls_verify else "false",
        "path": "/",
        "weight": "100",
        "retry": ",".join(map(str, sorted(RETRIED))),
        "health": "prefer",
        "health.status": probe.STATUS,
        "health.method": probe.METHOD,
        "health.host": "the endpoint's address",
    }
    if word in SETTINGS_OF_LABELS:
        assert FIELDS[default] == word
    else:
        assert default == told.get(word, "")


@pytest.mark.parametrize("row", rows("naming.md"), ids=lambda row: f"{row[0]} {row[1]}"[:60])
def test_the_examples_of_naming_are_true(row):
    if len(row) < 3:
        return  # the tables of the zone, which its tests have
    image, *given = row[1].split(", ")
    table = dict(pair.split("=") for pair in given)
    options, problems = labels.read(table)
    assert problems == ()
    found, problems = naming.services(bare(row[0]), naming.repository(bare(image)), options, table)
    assert ", ".join(f"`{name}`" for name in found) == row[2].replace("none", "")
    assert problems == ()


def test_help_has_every_default(capsys):
    assert commands.main(["help", "run"]) == 0
    shown = "".join(capsys.readouterr().out.split())  # it is wrapped
    for row in SETTINGS:
        if row[3].startswith("`"):
            assert f"(default: {bare(row[3])}) [{bare(row[0])}]".replace(" ", "") in shown
    assert "--docker-key" not in shown.replace("--docker-key-file", "")


PAGES = sorted([*DOCS.parent.glob("*.md"), *DOCS.rglob("*.md"), DOCS.parent / "bench" / "README.md"])


def anchors(page):
    """Where a link into the page may lead: its headings as they are made into anchors."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS.parent)))
def test_every_link_of_a_page_leads_somewhere(page):
    for target, anchor in re.findall(r"\]\(([^)#:]*)#?([^):]*)\)", page.read_text()):
        to = page.parent / target if target else page
        assert to.exists(), target
        assert not anchor or anchor in anchors(to), f"{target}#{anchor}"


def test_what_is_outside_of_the_repository_is_cited_nowhere():
    """What matters of a text that others don't have stands in docs/."""
    root = DOCS.parent
    found = [
        path.relative_to(root)
        for folder in ("haystack", "docs", "tests", "bench")
        for path in (root / folder).rglob("*")
        if path.suffix in (".py", ".pyx", ".pxd", ".md") and path.name != Path(__file__).name
        if re.search(r"\b(product|design)\.md\b", path.read_text())
    ]
    assert found == []

"""No import runs back up: a room of haystack/ or haystack/_fast uses itself and rooms below it. docs/architecture.md lists both."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "haystack"
FAST = PACKAGE / "_fast"
LAYERS = (
    "data", "model", "loop", "net", "settings", "observe", "health", "catalog", "discovery", "routing", "_fast", "dns", "tls", "proxy",
    "operator", "handover", "views", "api", "console", "startup", "app", "command_line", "cli", "__main__",
)  # fmt: skip
COMPILED = (
    "util",
    "net",
    "http1",
    "http2",
    "endpoint",
    "balance",
    "routing",
    "log",
    "worker",
    "connection",
    "exchange",
    "dns",
)  # below haystack/_fast
BELOW_ALL = "haystack"  # the package itself: the version
NAME = re.compile(r"haystack(\.\w+)+")


def room(module: str) -> str:
    """The room of a module, by its dotted name."""
    return [*module.split("."), BELOW_ALL][1]


def is_module(name: str) -> bool:
    """Whether haystack/ has a package or a module of this name."""
    return (PACKAGE / name).is_dir() or (PACKAGE / f"{name}.py").is_file()


def names_a_file(text: str) -> bool:
    """Whether a text is the whole name of a module that is a file."""
    return NAME.fullmatch(text) is not None and (ROOT / f"{text.replace('.', '/')}.py").is_file()


def imports(source: str) -> Iterator[str]:
    """Every module of Haystack that a source imports, or that it imports something of, wherever it does.

    A text that is the whole name of a module counts as well: loop/on_demand.py imports by such names.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.partition(".")[0] == "haystack")
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "haystack":
            assert node.module
            if node.module == "haystack":
                yield from (f"haystack.{alias.name}" if is_module(alias.name) else "haystack" for alias in node.names)
            else:
                yield node.module
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and names_a_file(node.value):
            yield node.value


def upward(module: str, source: str) -> list[str]:
    """What a module imports of rooms above its own."""
    height = LAYERS.index(room(module))
    used = {name for name in imports(source) if room(name) != BELOW_ALL}
    return sorted(name for name in used if LAYERS.index(room(name)) > height)


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_import_runs_back_up(path: Path) -> None:
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    if module != "haystack":
        assert upward(module, path.read_text()) == []


def test_one_that_did_would_be_found() -> None:
    assert upward("haystack.model.records", "from haystack.proxy import worker\n") == ["haystack.proxy"]
    assert upward("haystack.model.records", "def f():\n    import haystack.app\n") == ["haystack.app"]
    assert upward("haystack.model.records", "from haystack import app\n") == ["haystack.app"]
    assert upward("haystack.model.records", "module('haystack.api.serving')\n") == ["haystack.api.serving"]
    assert upward("haystack.proxy.worker", "from haystack import __version__\nfrom haystack.model.records import Port\n") == []


def compiled_upward(room: str, source: str) -> list[str]:
    """What a compiled module uses of rooms above its own, and of rooms of haystack/ above _fast."""
    named = re.findall(r"^\s*(?:from|c?import) (haystack[\w.]*)(?: c?import ([^#\n]*))?", source, re.MULTILINE)
    whole = [(name, word.split()[0] if word.strip() else "") for name, words in named for word in words.split(",")]
    used = {f"{name}.{word}" if name in ("haystack", "haystack._fast") else name for name, word in whole}  # a word behind these is a room
    order = [*COMPILED, "testing"]
    above = {name.split(".")[1] for name in used if name.split(".")[1] in LAYERS[LAYERS.index("_fast") + 1 :]}
    rooms = {name.split(".")[2] for name in used if name.startswith("haystack._fast.")}
    return sorted(above | {name for name in rooms if order.index(name) > order.index(room)})


@pytest.mark.parametrize("path", sorted([*FAST.rglob("*.pyx"), *FAST.rglob("*.pxd")]), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_cimport_runs_back_up(path: Path) -> None:
    # _fast/testing.pyx may use all compiled rooms, and none of haystack/ above them
    assert compiled_upward("testing" if path.parent == FAST else path.parent.name, path.read_text()) == []


def test_a_cimport_that_did_would_be_found() -> None:
    assert compiled_upward("net", "from haystack._fast.connection.pool cimport dial\n") == ["connection"]
    assert compiled_upward("net", "cimport haystack._fast.connection.pool as pool\n") == ["connection"]
    assert compiled_upward("net", "from haystack.proxy import limits\n") == ["proxy"]
    assert compiled_upward("net", "from haystack import proxy\n") == ["proxy"]
    assert compiled_upward("net", "from haystack._fast cimport util, connection as upper\n") == ["connection"]
    assert compiled_upward("net", "from haystack._fast.util.buffer cimport add\nfrom haystack.model import ports\n") == []


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_only_tests_and_benchmarks_use_what_is_for_them(path: Path) -> None:
    source = path.read_text()
    assert re.search(r"haystack\._fast(\.\w+)?(\.testing| import .*\btesting\b)", source) is None


def test_every_compiled_room_is_listed_here_and_in_the_docs() -> None:
    assert sorted(COMPILED) == sorted({path.parent.name for path in FAST.glob("*/*.pyx")})
    table = (ROOT / "docs" / "architecture.md").read_text().partition("The compiled rooms")[2].partition("\n\n## ")[0]
    listed = re.findall(r"^\| `(\w+)/` \| (.*) \|$", table, re.MULTILINE)
    assert [room for room, _ in listed] == list(COMPILED)
    for room, modules in listed:
        missing = [path.stem for path in FAST.glob(f"{room}/*.p[xy][xd]") if not re.search(rf"\b{path.stem}\b", modules)]
        assert room == "balance" or missing == []


def test_every_room_is_listed_here_and_in_the_docs() -> None:
    rooms = {p.stem for p in PACKAGE.iterdir() if p.suffix == ".py" or (p.is_dir() and any(p.glob("*.py")))} - {"__init__"}
    assert rooms == set(LAYERS)
    listed = re.findall(
        r"^\| `(\w+)(?:/|\.py)` \|", (ROOT / "docs" / "architecture.md").read_text().partition("The compiled rooms")[0], re.MULTILINE
    )
    assert listed == list(LAYERS)


def test_the_page_names_no_file_that_has_gone() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    named = set(re.findall(r"`([\w/]+\.(?:py|pyx|pxd))`", page))
    there = [f"/{path.relative_to(ROOT)}" for path in (*PACKAGE.rglob("*.p*"), *(ROOT / "tests").rglob("*.py"), *ROOT.glob("*.py"))]
    assert len(named) > 100
    assert [name for name in sorted(named) if not any(path.endswith(f"/{name}") for path in there)] == []


LINES = {".py": 300, ".pyx": 500}


def test_no_module_is_too_long() -> None:
    modules = [path for path in PACKAGE.rglob("*.py*") if path.suffix in LINES]
    sizes = {str(path.relative_to(ROOT)): (path.read_text().count("\n"), LINES[path.suffix]) for path in modules}
    assert {name: lines for name, (lines, most) in sizes.items() if lines >= most} == {}


def test_no_test_file_is_too_long() -> None:
    sizes = {str(path.relative_to(ROOT)): path.read_text().count("\n") for path in (ROOT / "tests").rglob("*.py")}
    assert {name: lines for name, lines in sizes.items() if lines >= 500} == {}


FIELDS = 25
# These say what somebody else has set down, and do nothing: one field a setting, a column of the access log, a label, a member of an answer
# in JSON; and what discovery knows of one container, and the catalog of one endpoint.
DATA = {"Settings", "Trace", "Options", "ServiceAnswer", "Container", "Endpoint"}


def own_fields(source: str) -> dict[str, tuple[str, int]]:
    """Of each cdef class of a .pxd: its base, and how many attributes it declares."""
    found = {}
    for name, base, body in re.findall(r"^cdef class (\w+)(?:\((\w+)\))?:[^\n]*\n((?:(?:    [^\n]*)?\n)*)", source, re.MULTILINE):
        declared = [
            line.partition("#")[0] for line in body.splitlines() if line.startswith("    cdef ") and "(" not in line.partition("#")[0]
        ]
        found[name] = base, sum(line.count(",") + 1 for line in declared)
    return found


def test_no_compiled_class_has_too_many_fields() -> None:
    classes = {name: each for path in FAST.rglob("*.pxd") for name, each in own_fields(path.read_text()).items()}

    def total(name: str) -> int:
        base, own = classes.get(name, ("", 0))
        return own + total(base) if base else own

    assert {name: total(name) for name in classes if total(name) > FIELDS} == {}
    assert total("Exchange") > 20  # they are counted, inherited ones too


def attributes(node: ast.ClassDef) -> set[str]:
    """What a class declares, and what its methods assign to self."""
    declared = {each.target.id for each in node.body if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)}
    stored = (each for each in ast.walk(node) if isinstance(each, ast.Attribute) and isinstance(each.ctx, ast.Store))
    return declared | {each.attr for each in stored if isinstance(each.value, ast.Name) and each.value.id == "self"}


def classes(path: Path) -> Iterator[tuple[str, set[str], list[str]]]:
    """Of each class of a module: its whole name, its own fields, and the whole names of its bases."""
    tree = ast.parse(path.read_text())
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    imported = {
        each.asname or each.name: f"{node.module}.{each.name}"
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for each in node.names
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            bases = [base.id for base in node.bases if isinstance(base, ast.Name)]
            yield f"{module}.{node.name}", attributes(node), [imported.get(base, f"{module}.{base}") for base in bases]


def test_no_class_has_too_many_fields() -> None:
    found = {name: (own, bases) for path in PACKAGE.rglob("*.py") for name, own, bases in classes(path)}

    def total(name: str) -> set[str]:
        own, bases = found.get(name, (set(), []))
        return own.union(*map(total, bases))

    large = {name: len(total(name)) for name in found if len(total(name)) > FIELDS}
    assert {name.rpartition(".")[2] for name in large} == DATA, large  # inherited ones are counted, too

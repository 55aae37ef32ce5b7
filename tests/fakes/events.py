"""What docs/logs.md says of each event of the log, and what the code has: read from both, so that neither can grow stale."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "logs.md"
LEVELS = ("debug", "info", "warning", "error", "exception", "critical")
LOGGER = re.compile(r"_?log|self\._log|(self\.)?_?crowd")
COUNTED = "Tally"  # tells the first line of its event, and counts the others
INDIRECT = {COUNTED: "warning", "tell": ""}  # what logs its first argument, and at which level; empty: at one that it chose before
NO_FIELDS = frozenset({"private"})  # of bursts.Lines: never written
ALWAYS = frozenset({"event", "level", "logger", "timestamp", "exception", "exc_info"})
ROW = re.compile(r"^\| `([a-z._]+)` \| (\w+(?: or \w+)*) \| (.+?) \| ?(.*?) \|$", re.MULTILINE)


class Written(NamedTuple):
    """An event as the page has it."""

    levels: frozenset[str]
    fields: frozenset[str]


class Call(NamedTuple):
    """An event as a line of the code has it.

    event: None where no text stands there; level: empty where the line does not say; open: there may be more fields.
    """

    where: str
    event: str | None
    level: str
    fields: frozenset[str]
    open: bool


@cache
def written() -> Mapping[str, Written]:
    """The page's tables."""
    rows = ROW.findall(PAGE.read_text())
    return {event: Written(frozenset(levels.split(" or ")), frozenset(re.findall(r"`(\w+)`", fields))) for event, levels, _, fields in rows}


def unwritten(line: Mapping[str, object]) -> str:
    """What is wrong with a line of Haystack's own, by the page; empty: nothing."""
    known = written().get(str(line["event"]))
    if known is None:
        return f"docs/logs.md lacks the event {line['event']!r}"
    if odd := line.keys() - known.fields - ALWAYS:
        return f"docs/logs.md lacks the fields {sorted(odd)} of {line['event']}"
    return "" if line["level"] in known.levels else f"docs/logs.md has another level of {line['event']} than {line['level']}"


def calls() -> Iterator[Call]:
    """Every call of a logger in the code."""
    for path in sorted((ROOT / "haystack").rglob("*.py")):
        tree = ast.parse(path.read_text())
        constants = {
            target.id: node.value.value
            for node in tree.body
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and (level := _level(node)) is not None:
                where = f"{path.relative_to(ROOT)}:{node.lineno}"
                fields = frozenset(keyword.arg for keyword in node.keywords if keyword.arg) - ALWAYS - NO_FIELDS
                more = any(keyword.arg is None for keyword in node.keywords) or ast.unparse(node.func) == COUNTED
                yield Call(where, _text(node.args[0], constants) if node.args else None, level, fields, more)


def _level(call: ast.Call) -> str | None:
    """At which level this call logs; None: it is none of a logger's."""
    name = call.func
    if isinstance(name, ast.Attribute) and name.attr in LEVELS and LOGGER.fullmatch(ast.unparse(name.value)):
        return "error" if name.attr == "exception" else name.attr
    return INDIRECT.get(name.id) if isinstance(name, ast.Name) else None


def _text(argument: ast.expr, constants: Mapping[str, object]) -> str | None:
    value = argument.value if isinstance(argument, ast.Constant) else constants.get(argument.id) if isinstance(argument, ast.Name) else None
    return value if isinstance(value, str) else None

"""Which lines of haystack/_fast can run: those that the C sources of the traced extensions tell a tracer of.

Cython writes a comment with file and line before the code of each line, and a call __Pyx_TraceLine(LINE, …) into it. Inline functions of a
.pxd are in the C source of each module that uses them. coverage.py takes what is told for lines of an ordinary file: Cython's plugin for it
would cost a call of a Python function a line, and looks for the C sources beside the .pyx.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

_SOURCE = re.compile(r'\s*/\* "(.+)":\d+$')
_TRACED = re.compile(r"\s*__Pyx_TraceLine\((\d+),")


def executable(text: Iterable[str]) -> dict[str, set[int]]:
    """The lines of a C source: by the file they come from, as it was named to Cython."""
    found: dict[str, set[int]] = defaultdict(set)
    source = ""
    for line in text:
        if named := _SOURCE.match(line):
            source = named[1]
        elif (traced := _TRACED.match(line)) and source:
            found[source].add(int(traced[1]))
    return found


def lines(folder: Path) -> dict[str, set[int]]:
    """Those of all C sources below a folder. A file that is not ours, of Cython itself, is left out."""
    found: dict[str, set[int]] = defaultdict(set)
    for path in sorted(folder.rglob("*.c")):
        with path.open(encoding="utf-8") as text:
            for name, numbers in executable(text).items():
                if name.startswith("haystack/"):
                    found[name] |= numbers
    return found

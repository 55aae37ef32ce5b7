"""Imports a worker's libraries without what they would import for work that it never has: 2 MiB of its own for each worker.

A worker's TLS is compiled (_fast/net/tls.pyx) and needs no module `ssl`, it starts no process (sandbox.py), and reads no source text.
A library keeps the stand-ins that it has imported. A later import of such a module gets the real one, as in a test that runs a worker's
code in its own process.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType


class Absent(ModuleType):
    """In place of a module whose constants and classes somebody takes at its import, and does not use afterwards."""

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        return 0 if name.isupper() else type(name, (Exception,), {})


# One after the other: a library, and what it is imported without. None: as if that were not installed, for which it has a way of its own
LIBRARIES: tuple[tuple[str, dict[str, ModuleType | None]], ...] = (
    ("inspect", {"ast": Absent("ast")} if sys.version_info < (3, 14) else {}),  # since then it uses it for annotations
    ("asyncio", {"ssl": None, "subprocess": Absent("subprocess")}),
    ("uvloop", {"ssl": Absent("ssl"), "subprocess": Absent("subprocess")}),
    ("msgspec", {"typing_extensions": None, "msgspec.inspect": Absent("msgspec.inspect")}),
)


def without(library: str, absent: dict[str, ModuleType | None]) -> None:
    """Import the library while stand-ins take the place of these modules. A module that was imported before stays as it is."""
    others = {name: other for name, other in absent.items() if name not in sys.modules}
    sys.modules.update(others)  # type: ignore[arg-type] # None: https://docs.python.org/3/reference/import.html#the-module-cache
    try:
        importlib.import_module(library)
    finally:
        for name in others:
            del sys.modules[name]


def load() -> None:
    """Before anything else imports one of these libraries."""
    for library, absent in LIBRARIES:
        without(library, absent)

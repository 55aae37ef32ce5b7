"""Runs a fuzz target under atheris, as `make fuzz` does it: python -m tests.fuzz.fuzz_head CORPUS... [-libfuzzer_option=...].

Where the extensions are built for it (HAYSTACK_FUZZ_NATIVE=1), their compiled code guides libFuzzer; else the oracles' Python code has to.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable

from tests.fuzz import mutate

Target = Callable[[bytes], None]
Mutator = Callable[[bytes, int, int], bytes]
GUIDES = (
    "tests.differential.rules", "tests.differential.bodies", "h11._readers", "h11._connection", "haystack.dns.wire",
    "haystack.dns.forward.message", "haystack.dns.forward.rewriting",
)  # fmt: skip


def main(target: Target, mutator: Mutator | None = None, explain: Callable[[bytes], str] = repr) -> None:
    """Never returns. A failure is told as `explain` tells its input, beside the file that libFuzzer leaves."""
    atheris = importlib.import_module("atheris")  # is there only where `make fuzz` has put it

    def told(data: bytes) -> None:
        try:
            target(data)
        except BaseException:
            print(explain(data), file=sys.stderr, flush=True)
            raise

    if os.environ.get("HAYSTACK_FUZZ_NATIVE") != "1":
        for name in sys.modules.keys() & set(GUIDES):
            instrument(atheris, sys.modules[name])
    options = {"custom_mutator": mutator} if mutator else {}
    atheris.Setup([*sys.argv, f"-dict={mutate.DICTIONARY}"], told, **options)
    atheris.Fuzz()


def instrument(atheris: object, module: object) -> None:
    """Count the branches of a module's functions and methods."""
    for holder in (module, *(v for v in vars(module).values() if isinstance(v, type) and v.__module__ == module.__name__)):
        for name, value in list(vars(holder).items()):
            if callable(value) and hasattr(value, "__code__"):
                setattr(holder, name, atheris.instrument_func(value))

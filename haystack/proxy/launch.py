"""Where a worker process begins: `python -P …/haystack/proxy/launch.py CHANNEL STACK UID GID`.

It takes the package that this very file lies in, and no other that may lie in the current folder or come first on the path: a worker has to
be the same Haystack as who started it.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
from types import ModuleType

# text, as pathlib would have each worker keep half a MiB more
PACKAGE = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))  # noqa: PTH120 - as above


def load(folder: str) -> None:
    """Import the package in this folder under its name. Raises ImportError."""
    name = os.path.basename(folder)  # noqa: PTH119 - as above
    spec = importlib.util.spec_from_file_location(name, f"{folder}/__init__.py", submodule_search_locations=[folder])
    if spec is None or spec.loader is None:
        raise ImportError(f"{folder} holds no package")
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)


def imported() -> ModuleType:
    """The module of a worker, imported with all that it needs."""
    from haystack.proxy import lean_imports  # noqa: PLC0415 - of the package that was loaded

    lean_imports.load()
    from haystack.proxy import worker  # noqa: PLC0415 - as above

    return worker


if __name__ == "__main__":
    # the control process alone decides when a worker goes: Ctrl-C, or a terminal's end, reaches the whole group, while all this is imported
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)
    load(PACKAGE)
    imported().main(*map(int, sys.argv[1:]))

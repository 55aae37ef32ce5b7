"""Where a worker process begins: `python -P …/haystack/proxy/launch.py CHANNEL STACK UID GID`.

It takes the package that this very file lies in, and no other that may lie in the current folder or come first on the path: a worker has to
be the same Haystack as who started it.
"""

from __future__ import annotations

import importlib.util
import signal
import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent


def load(folder: Path) -> None:
    """Import the package in this folder under its name. Raises ImportError."""
    spec = importlib.util.spec_from_file_location(folder.name, folder / "__init__.py", submodule_search_locations=[str(folder)])
    if spec is None or spec.loader is None:
        raise ImportError(f"{folder} holds no package")
    sys.modules[folder.name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)


if __name__ == "__main__":
    # the control process alone decides when a worker goes: a Ctrl-C reaches the whole group, and does so while all this is imported
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    load(PACKAGE)
    from haystack.proxy import worker

    worker.main(*map(int, sys.argv[1:]))

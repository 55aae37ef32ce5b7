"""Loads structlog without rich, with which it would colour lines: nothing here is coloured, and rich takes 20 ms and 5 MiB.

To be called before anything else imports structlog. Who needs rich (console/tables.py) has it all the same.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any, cast


def load() -> None:
    """Import structlog."""
    if "rich" in sys.modules:
        return
    sys.modules["rich"] = cast("Any", None)  # an import of it fails
    try:
        importlib.import_module("structlog")
    finally:
        del sys.modules["rich"]

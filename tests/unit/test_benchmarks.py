"""Benchmarks are run by hand, now and then. What they import is looked at with every run of the tests."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
IMPORTED = "import importlib, sys; [importlib.import_module(each) for each in sys.argv[1:]]"


def test_all_that_benchmarks_import_is_there():
    files = sorted(path.relative_to(ROOT) for path in (ROOT / "bench").rglob("*.py") if path.name != "__main__.py")
    names = [".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in files]
    assert "bench.micro.loop" in names
    done = subprocess.run([sys.executable, "-c", IMPORTED, *names], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]

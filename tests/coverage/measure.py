"""Runs the tests so that each line that runs is noted: in pytest, in every `haystack run` that a test starts, and in its workers.

Each process writes a file of its own when it ends: a worker returns from its main, the control process ends by os._exit, which coverage.py
waits for (`patch` in pyproject.toml). A process that is ended by SIGKILL writes nothing.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import coverage

ROOT = Path(__file__).parents[2]
FOUND = ROOT / "build" / "coverage" / "data"  # of the last run, of all processes
EVERYTHING = ("-m", "not engine and not untraced")
PATIENCE = ("--timeout", "300")  # a traced line takes many times as long


def measure(words: Sequence[str]) -> int:
    """Run pytest with these arguments (none: EVERYTHING), and keep in FOUND what was noted. Its status."""
    with _folder() as folder:
        command = [sys.executable, "-m", "coverage", "run", "-m", "pytest", *PATIENCE, *(words or EVERYTHING)]
        status = subprocess.run(command, cwd=ROOT, env=_environment(folder), check=False).returncode
        FOUND.parent.mkdir(parents=True, exist_ok=True)
        coverage.Coverage(data_file=str(FOUND), config_file=str(ROOT / "pyproject.toml")).combine([str(folder)])
    return status


@contextmanager
def _folder() -> Iterator[Path]:
    """Where every user may leave a file: the workers of a Haystack that runs as root run as another one."""
    with tempfile.TemporaryDirectory(prefix="haystack-coverage-") as made:
        Path(made).chmod(0o1777)
        yield Path(made)


def _environment(folder: Path) -> dict[str, str]:
    """What the processes need to find the files: compiled code names its sources by paths below ROOT, whatever folder it is started in."""
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    return os.environ | {"COVERAGE_FILE": str(folder / "data"), "PYTHONPATH": path}

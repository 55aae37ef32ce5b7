"""An installed Haystack has what it reads from beside its modules: the page's files and the names of ports."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_wheel_has_the_files_of_the_page(tmp_path):
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "haystack", tmp_path / "haystack", ignore=shutil.ignore_patterns("*.so", "*.c", "__pycache__"))
    build = [sys.executable, "setup.py", "--quiet", "bdist_wheel", "--dist-dir", "dist"]
    subprocess.run(build, cwd=tmp_path, env={**os.environ, "HAYSTACK_COMPILED": "1"}, check=True, capture_output=True, timeout=50)
    (wheel,) = (tmp_path / "dist").iterdir()
    with zipfile.ZipFile(wheel) as opened:
        packed = set(opened.namelist())
    wanted = {path.relative_to(ROOT).as_posix() for path in (ROOT / "haystack" / "ui").iterdir()}
    assert "haystack/ui/index.html" in wanted
    assert wanted <= packed
    assert "haystack/data/service-names.csv" in packed

"""An installed Haystack has what it reads from beside its modules: the page's files and the names of ports."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from importlib.metadata import version
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
EVERYWHERE = {"libc.so.6", "libm.so.6", "libpthread.so.0"}


def test_docs_name_the_libraries_that_a_host_needs_for_a_wheel():
    compiled = [*map(str, (ROOT / "haystack" / "_fast").rglob("*.so"))]
    told = subprocess.run(["readelf", "--dynamic", *compiled], capture_output=True, text=True, check=True, timeout=120).stdout
    needed = set(re.findall(r"\(NEEDED\).*\[(.+)\]", told)) - EVERYWHERE
    assert "libnghttp2.so.14" in needed
    page = (ROOT / "docs" / "systemd.md").read_text()
    assert [name for name in sorted(needed) if f"`{name}`" not in page] == []


def test_an_exporter_of_spans_that_is_too_old_is_not_installed():
    """Up to 1.44 it has no `_client`, which takes spans as they are written (observe/otlp.py): each message would fail."""
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    (exporter,) = (Requirement(each) for each in asked if each.startswith("opentelemetry-exporter-otlp-proto-http"))
    assert not exporter.specifier.contains("1.44.99")
    assert exporter.specifier.contains(version(exporter.name))


def test_a_wheel_has_the_files_of_the_page(tmp_path):
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "haystack", tmp_path / "haystack", ignore=shutil.ignore_patterns("*.so", "*.c", "__pycache__"))
    build = [sys.executable, "setup.py", "--quiet", "bdist_wheel", "--dist-dir", "dist"]
    subprocess.run(build, cwd=tmp_path, env={**os.environ, "HAYSTACK_COMPILED": "1"}, check=True, capture_output=True, timeout=120)
    (wheel,) = (tmp_path / "dist").iterdir()
    with zipfile.ZipFile(wheel) as opened:
        packed = set(opened.namelist())
    wanted = {path.relative_to(ROOT).as_posix() for path in (ROOT / "haystack" / "ui").iterdir()}
    assert "haystack/ui/index.html" in wanted
    assert wanted <= packed
    assert "haystack/data/service-names.csv" in packed


def test_a_source_distribution_has_what_a_wheel_is_made_of(tmp_path):
    tree = tmp_path / "tree"
    tree.mkdir()
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE", "MANIFEST.in", "Makefile", "Dockerfile", "CHANGELOG.md"):
        shutil.copy(ROOT / name, tree)
    for name in ("haystack", "requirements", "deploy"):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("*.c", "__pycache__"))
    command = [sys.executable, "setup.py", "--quiet", "sdist", "--dist-dir", "dist"]
    compiled = {**os.environ, "HAYSTACK_COMPILED": "1"}
    subprocess.run(command, cwd=tree, env=compiled, check=True, capture_output=True, timeout=120)
    (archive,) = (tree / "dist").iterdir()
    with tarfile.open(archive) as opened:
        opened.extractall(tmp_path, filter="data")
    (unpacked,) = (path for path in tmp_path.iterdir() if path.name.startswith("haystack-"))
    there = {path.relative_to(unpacked).as_posix() for path in unpacked.rglob("*") if path.is_file()}
    sources = {p.relative_to(ROOT).as_posix() for kind in ("pyx", "pxd", "py", "csv") for p in (ROOT / "haystack").rglob(f"*.{kind}")}
    assert sources | {"haystack/ui/index.html", "requirements/image.txt", "deploy/compose.yaml", "setup.py"} <= there
    assert [name for name in there if name.endswith((".so", ".c", ".pyc"))] == []

"""`make dist`: a wheel with everything that runs, and a source distribution of which the same wheel can be built.

What the tree has compiled is laid where setuptools looks for it. What of that is up to date is not compiled again; all of it takes minutes.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from pathlib import Path, PurePath
from typing import Any

import pytest
import uvloop

from haystack import __version__

pytestmark = pytest.mark.timeout(1200)
ROOT = Path(__file__).resolve().parents[2]
SUFFIX = sysconfig.get_config_var("EXT_SUFFIX")
BIN = Path(sys.executable).parent
KIND = "debug" if os.environ.get("HAYSTACK_DEBUG") == "1" else "release"  # as setup.py calls them
COMPILED = f"build/lib.{sysconfig.get_platform()}-{sys.implementation.cache_tag}"
MADE_HERE = ("*.so", "*.c", "*.egg-info", "__pycache__", "build", "dist", ".*")
ABOUT = """import haystack, importlib, json, pathlib, sys
from haystack import _fast
root = pathlib.Path(_fast.__file__).parent
names = [".".join(("haystack", "_fast", *path.relative_to(root).parts)).removesuffix(sys.argv[1]) for path in root.rglob("*" + sys.argv[1])]
print(json.dumps({name: importlib.import_module(name).__file__ for name in names}))
"""


def run(*words: str | Path, cwd: Path, **more: str) -> str:
    """What a command prints. It sees nothing of this tree."""
    env = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "MAKEFLAGS", "MAKELEVEL")} | more
    done = subprocess.run(words, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def with_what_is_compiled(tree: Path) -> Path:
    """The same tree, where setuptools finds what it would compile. Times are kept: they say whether that is up to date."""
    shutil.copytree(ROOT / "build" / KIND, tree / "build" / KIND)
    for path in (ROOT / "haystack" / "_fast").rglob(f"*{SUFFIX}"):
        there = tree / COMPILED / path.relative_to(ROOT)
        there.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, there)
    return tree


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make dist` leaves in a clean copy of the tree."""
    tree = tmp_path_factory.mktemp("clean") / "tree"
    shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(*MADE_HERE))
    run("make", "--old-file", ".make/venv", "dist", f"BIN={BIN}", cwd=with_what_is_compiled(tree))
    return tree / "dist"


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    (found,) = dist.glob("*.whl")
    return found


def packed(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as opened:
        return set(opened.namelist())


def test_it_is_for_this_version_of_python_and_no_other(wheel: Path) -> None:
    tag = f"cp{sys.version_info.major}{sys.version_info.minor}"
    assert wheel.name.startswith(f"haystack-{__version__}-{tag}-{tag}-linux_")


def test_it_has_every_compiled_module_and_what_is_read_beside_them_and_nothing_to_compile_or_test_with(wheel: Path) -> None:
    there = packed(wheel)
    compiled = {path.relative_to(ROOT).with_suffix("").as_posix() + SUFFIX for path in (ROOT / "haystack").rglob("*.pyx")}
    assert len(compiled) > 100
    assert {name for name in there if name.endswith(".so")} == compiled
    wanted = [path for path in (ROOT / "haystack").rglob("*") if path.suffix == ".py" or path.parent.name in ("data", "ui")]
    names = {path.relative_to(ROOT).as_posix() for path in wanted if path.is_file()}
    assert {"haystack/data/service-names.csv", "haystack/ui/index.html", "haystack/ui/main.js"} <= names <= there
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["haystack"]
    assert [each for each in patterns if not any(PurePath(name).match(each) for name in there)] == []
    assert [name for name in there if name.endswith((".pyx", ".c", ".h", ".pyc"))] == []
    about = f"haystack-{__version__}.dist-info"
    assert {name.partition("/")[0] for name in there} == {"haystack", about}


def test_installed_it_runs_and_what_is_compiled_is_its_own(wheel: Path, tmp_path: Path) -> None:
    place = tmp_path / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", place, cwd=tmp_path)
    install = [sys.executable, "-m", "pip", "--python", place / "bin" / "python", "install", "--quiet", "--no-deps", "--no-index", wheel]
    run(*install, cwd=tmp_path, PIP_DISABLE_PIP_VERSION_CHECK="1")
    (site,) = place.glob("lib/python*/site-packages")
    (site / "others.pth").write_text(f"{Path(uvloop.__file__).parents[1]}\n")  # a .pth there, such as that of this tree, is not heeded
    assert run(place / "bin" / "haystack", "--version", cwd=tmp_path).strip() == f"haystack {__version__}"
    found: dict[str, Any] = json.loads(run(place / "bin" / "python", "-c", ABOUT, SUFFIX, cwd=tmp_path))
    assert len(found) == len([name for name in packed(wheel) if name.endswith(".so")])
    assert [file for file in found.values() if not file.startswith(f"{site}/haystack/_fast/")] == []
    static = tmp_path / "static.toml"
    static.write_text('[[container]]\nname = "x"\nimage = "x"\naddress = "192.0.2.1"\nports = ["8008/tcp"]\n')
    run(place / "bin" / "haystack", "check", "--static", static, cwd=tmp_path)


def test_the_source_distribution_makes_the_same_wheel(dist: Path, wheel: Path, tmp_path: Path) -> None:
    (archive,) = dist.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        opened.extractall(tmp_path, filter="data")
    (tree,) = tmp_path.iterdir()
    unwanted = [path for path in tree.rglob("*") if path.suffix in (".so", ".c", ".pyc") or "tests" in path.relative_to(tree).parts]
    assert unwanted == []
    assert {"setup.py", "pyproject.toml", "requirements", "LICENSE"} <= {path.name for path in tree.iterdir()}
    run(sys.executable, "setup.py", "--quiet", "bdist_wheel", "--dist-dir", "dist", cwd=with_what_is_compiled(tree))
    (made,) = (tree / "dist").iterdir()
    assert (made.name, packed(made)) == (wheel.name, packed(wheel))

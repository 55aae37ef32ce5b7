"""How the extensions are built: what protects a process that parses what strangers send is in each of them."""

import subprocess
from pathlib import Path

import pytest

from haystack import _fast

BUILT = sorted(Path(_fast.__path__[0]).rglob("*.so"))


def readelf(option, path):
    return subprocess.run(["readelf", option, "--wide", path], capture_output=True, text=True, check=True).stdout


def test_there_are_extensions():
    assert len(BUILT) > 20


@pytest.mark.parametrize("path", BUILT, ids=lambda path: path.name.partition(".")[0])
def test_every_address_is_bound_at_the_start_and_can_not_be_changed(path):
    assert "BIND_NOW" in readelf("--dynamic", path)
    assert "GNU_RELRO" in readelf("--program-headers", path)


@pytest.mark.parametrize("name", ["head", "http1_server", "http1_client", "dispatch", "transport"])
def test_overruns_of_the_stack_and_of_known_buffers_are_found(name):
    (path,) = (each for each in BUILT if each.name.partition(".")[0] == name)
    assert "__stack_chk_fail" in readelf("--dyn-syms", path)


def test_copies_into_buffers_of_known_size_are_checked():
    """_FORTIFY_SOURCE shows where the compiler could not tell for itself that there is room."""
    assert any("_chk@" in line and "stack" not in line for path in BUILT for line in readelf("--dyn-syms", path).splitlines())

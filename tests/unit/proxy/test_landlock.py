"""A worker that shares the control process's user opens no file but Python's and Haystack's own."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from pathlib import Path

import pytest

from haystack.proxy import landlock
from tests.fakes.folders import open_to_all

pytestmark = pytest.mark.untraced
there = ctypes.CDLL(None).syscall(landlock.CREATE, None, ctypes.c_size_t(0), landlock.ASK_VERSION) >= 1
needs_landlock = pytest.mark.skipif(not there, reason="this kernel has no Landlock")


@needs_landlock
def test_files_of_the_state_can_be_neither_read_nor_written_and_modules_be_imported(tmp_path: Path) -> None:
    kept = tmp_path / "host-key"
    kept.write_text("s3cret")
    code = f"""if True:
        import os
        from haystack.proxy import sandbox
        held = open({str(kept)!r})
        sandbox.confine(-1, -1)
        for what in (lambda: open({str(kept)!r}), lambda: open({str(kept)!r}, "w"), lambda: os.listdir({str(tmp_path)!r}),
                     lambda: os.unlink({str(kept)!r}), lambda: open({str(tmp_path / "new")!r}, "w")):
            try:
                what()
            except PermissionError:
                continue
            print("it can")
        import wave, haystack.model.naming
        print(held.read())
        held.close()
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert (done.stdout, done.stderr) == ("s3cret\n", "")
    assert [path.name for path in tmp_path.iterdir()] == ["host-key"]


@needs_landlock
def test_nobody_outside_can_be_signalled(tmp_path: Path) -> None:
    version = ctypes.CDLL(None).syscall(landlock.CREATE, None, ctypes.c_size_t(0), landlock.ASK_VERSION)
    if version < landlock.SCOPED_SINCE:
        pytest.skip("this kernel's Landlock does not know signals")
    code = "import os; from haystack.proxy import sandbox; sandbox.confine(-1, -1); os.kill(os.getppid(), 0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path)
    assert "PermissionError" in done.stderr


@needs_landlock
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_the_workers_user_does_not_open_its_own_files_either(tmp_path: Path) -> None:
    """Where the control process stays root though the state folder is `haystack`'s already, workers are the one whose keys lie there."""
    kept = tmp_path / "host-key"
    kept.write_text("s3cret")
    for path in (kept, tmp_path):
        os.chown(path, 65534, 65534)
    open_to_all(tmp_path)
    code = f"from haystack.proxy import sandbox; sandbox.confine(65534, 65534); open({str(kept)!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert "PermissionError" in done.stderr

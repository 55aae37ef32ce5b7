"""Why a file can't be read is said with the commands that mend it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from haystack.settings import unreadable
from tests.fakes.folders import open_to_all

root = pytest.mark.skipif(os.geteuid() != 0, reason="root makes files for somebody else")
CODE = """if True:
    import os, sys
    from haystack.settings import unreadable
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)
    try:
        open(sys.argv[1])
    except OSError as error:
        print(unreadable.why(error))
"""


def told(path: Path) -> str:
    """What a process of another user says of it."""
    done = subprocess.run([sys.executable, "-c", CODE, str(path)], capture_output=True, text=True, timeout=30, check=True)
    return done.stdout.strip()


@root
def test_the_file_or_the_folder_above_it_is_named_and_what_is_said_mends_it(tmp_path: Path) -> None:
    open_to_all(tmp_path)
    folder = tmp_path / "certs"
    folder.mkdir()
    key = folder / "a.key"
    key.write_text("x")
    key.chmod(0o600)
    folder.chmod(0o700)
    for path, mode in ((folder, "g+rx"), (key, "g+r")):
        said = told(key)
        assert said == f"Permission denied for user 65534: to mend it, chgrp 65534 {path}; chmod {mode} {path}"
        for line in said.partition("mend it, ")[2].split("; "):
            subprocess.run(line.split(), check=True)
    assert told(key) == ""


def test_a_folder_is_told_as_what_docker_makes_of_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="directory") as caught:
        tmp_path.open()
    assert unreadable.why(caught.value) == "it is a folder (Docker creates one if the file in -v does not exist)"


def test_other_reasons_are_the_systems(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such") as caught:
        (tmp_path / "missing").open()
    assert unreadable.why(caught.value) == "No such file or directory"
    assert unreadable.why(PermissionError(13, "Permission denied")) == "Permission denied"

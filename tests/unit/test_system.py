"""What `make` says and does where the machine lacks something that setting up needs: requirements/system, with a PATH of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "requirements" / "system"
PLAIN = ("bash", "readlink", "basename", "env", "printf", "chmod", "rm")


class Machine:
    """A folder that is the whole PATH, and /usr/sbin too, in which commands can be put."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.log = folder, folder / "apt.log"
        for name in PLAIN:
            (folder / name).symlink_to(shutil.which(name) or name)
        self.put("python3", f'exec {sys.executable} "$@"')

    def put(self, name: str, script: str) -> None:
        """A command of this name."""
        path = self.folder / name
        path.write_text(f"#!/bin/bash\n{script}\n")
        path.chmod(0o755)

    def run(self, *words: str) -> tuple[int, str]:
        """Status and what it said."""
        env = {name: value for name, value in os.environ.items() if name != "CC"} | {"PATH": str(self.folder), "SBIN": str(self.folder)}
        ended = subprocess.run([SCRIPT, *words], env=env, capture_output=True, text=True, timeout=120, check=False)
        assert ended.stdout == ""
        return ended.returncode, ended.stderr


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A Debian without compiler and clients, where apt-get notes what it is asked for."""
    machine = Machine(tmp_path)
    machine.put("apt-get", f'echo "$@" >> {machine.log}')
    return machine


def test_a_missing_compiler_is_told_in_one_line_with_what_to_type(machine):
    machine.put("id", "echo 1000")
    status, said = machine.run("run")
    assert status == 1
    assert said.count("\n") == 1
    assert said.startswith("haystack: make needs a C compiler")
    assert "sudo apt-get install --no-install-recommends gcc" in said
    assert not machine.log.exists()


def test_root_on_debian_gets_it_installed(machine):
    machine.put("id", "echo 0")
    status, said = machine.run("run")
    assert (status, said.count("\n")) == (0, 1)
    assert "installing what is missing: gcc" in said
    assert "install -y -qq --no-install-recommends gcc" in machine.log.read_text()


def test_clients_are_asked_for_only_by_tests(machine):
    machine.put("id", "echo 1000")
    assert "dig" not in machine.run("run")[1]
    said = machine.run("test")[1]
    assert all(f" {name}" in said for name in ("dig", "curl", "wget", "ssh", "sshd", "goaccess", "knotd", "java", "go", "promtool"))
    assert said.partition("apt-get install")[2].split().count("prometheus") == 1, "one package has both of its commands"


def test_no_daemon_of_what_is_installed_starts_now_or_later(machine):
    """Knot's would take port 53, Prometheus' 9090, and sshd 22."""
    policy = machine.folder / "policy-rc.d"
    machine.put("id", "echo 0")
    machine.put("apt-get", f'[[ $1 == update ]] || {{ {policy} knot start; echo "status $?" >> {machine.log}; }}')
    machine.put("systemctl", f'echo "$@" >> {machine.log}')
    assert machine.run("test")[0] == 0
    assert machine.log.read_text().splitlines() == [
        "status 101",
        *(f"--quiet disable {unit}" for unit in ("haproxy", "knot", "prometheus", "ssh")),
    ]
    assert not policy.exists()


def test_a_policy_of_the_machines_own_stays_and_without_knot_nothing_is_disabled(machine):
    machine.put("id", "echo 0")
    machine.put("policy-rc.d", "exit 0")
    machine.put("systemctl", f'echo "$@" >> {machine.log}')
    assert machine.run("run")[0] == 0
    assert "disable" not in machine.log.read_text()
    assert (machine.folder / "policy-rc.d").read_text() == "#!/bin/bash\nexit 0\n"


GOALS = [([], "run"), (["run"], "run"), (["build"], "run"), (["test"], "test"), (["lint", "type"], "test")]


@pytest.mark.parametrize(("goals", "purpose"), GOALS)
def test_make_asks_for_all_that_its_goals_need_before_it_does_anything(tmp_path, goals, purpose):
    """Not for the tests' clients only after minutes of installing and compiling."""
    (tmp_path / "requirements").mkdir()
    for name in ("build", "image", "dev"):
        (tmp_path / "requirements" / f"{name}.txt").write_text("")
    for name in ("setup.py", "pyproject.toml"):
        (tmp_path / name).write_text("")
    line = ["make", "--dry-run", "-f", SCRIPT.parents[1] / "Makefile", *goals]
    env = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "PYTHON")}  # of the `make test` that runs this
    ended = subprocess.run(line, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120, check=True)
    asked = [row for row in ended.stdout.splitlines() if row.startswith("requirements/system")]
    assert asked[0] == f"requirements/system {purpose} python3"


def test_nothing_is_said_where_nothing_is_missing(machine):
    machine.put("id", "echo 1000")
    machine.put("cc", "cat")
    (machine.folder / "cat").symlink_to(shutil.which("cat") or "cat")
    assert machine.run("run") == (0, "")


def test_another_system_than_debian_is_told_what_is_missing(machine):
    (machine.folder / "apt-get").unlink()
    status, said = machine.run("run")
    assert (status, said.count("\n")) == (1, 1)
    assert "package manager" in said


def test_an_old_python_is_named_with_the_newer_one_that_is_there(machine):
    machine.put("python3", 'case "$2" in *platform*) echo 3.9.2;; *) exit 1;; esac')
    status, said = machine.run("run")
    assert (status, said.count("\n")) == (1, 1)
    assert said.startswith("haystack: python3 is Python 3.9.2, and Haystack needs 3.11 or newer: ")
    machine.put("python3.12", "exit 0")
    assert machine.run("run")[1].endswith("3.11 or newer: make PYTHON=python3.12\n")


def test_no_python_at_all_is_one_line(machine):
    status, said = machine.run("run", "python3.99")
    assert status == 1
    assert said == "haystack: there is no python3.99: install Python 3.11 or newer, then make PYTHON=/path/to/python3\n"

"""What a worker process is left with."""

import os
import subprocess
import sys

import pytest

from haystack.proxy import sandbox


def test_the_environment_keeps_what_python_and_the_c_library_read():
    whole = {"PATH": "/bin", "PYTHONPATH": "/x", "LC_ALL": "C", "TZ": "UTC", "ASAN_OPTIONS": "x=1", "LD_PRELOAD": "libx.so"}
    assert sandbox.environment(whole) == whole


def test_the_environment_keeps_no_secret():
    assert (
        sandbox.environment({"DOCKER_KEY": "x", "HAYSTACK_SSH_AUTHORIZED_KEYS": "x", "AWS_TOKEN": "x", "DOCKER_HOST": "tcp://u:p@h"}) == {}
    )


@pytest.mark.parametrize(
    "confine", ["from haystack.proxy.sandbox import confine; confine(-1, -1)", "from haystack.startup.keeper import confine; confine()"]
)
@pytest.mark.parametrize(("limit", "left"), [("0", (0, 0)), ("unlimited", (1, 1))])
def test_no_core_dump_and_none_needed_where_there_is_no_room_for_one(confine: str, limit: str, left: tuple[int, int]):
    """As with --ulimit core=0: nobody but root may raise a limit."""
    code = f"import os, resource; {confine}; os.write(1, str(resource.getrlimit(resource.RLIMIT_CORE)).encode())"
    words = ["sh", "-c", f'ulimit -c {limit} && exec "$@"', "sh", sys.executable, "-c", code]
    if os.geteuid() == 0:
        words = ["setpriv", "--bounding-set=-sys_resource", "--inh-caps=-sys_resource", *words]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    assert (done.stdout, done.stderr) == (str(left), "")

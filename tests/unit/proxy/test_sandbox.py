"""What a worker process is left with."""

from haystack.proxy import sandbox


def test_the_environment_keeps_what_python_and_the_c_library_read():
    whole = {"PATH": "/bin", "PYTHONPATH": "/x", "LC_ALL": "C", "TZ": "UTC", "ASAN_OPTIONS": "x=1", "LD_PRELOAD": "libx.so"}
    assert sandbox.environment(whole) == whole


def test_the_environment_keeps_no_secret():
    assert (
        sandbox.environment({"DOCKER_KEY": "x", "HAYSTACK_SSH_AUTHORIZED_KEYS": "x", "AWS_TOKEN": "x", "DOCKER_HOST": "tcp://u:p@h"}) == {}
    )

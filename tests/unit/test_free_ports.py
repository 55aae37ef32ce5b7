"""The ports that tests and benchmarks give to processes: nobody else gets them in between."""

import socket
import subprocess
import sys

from tests.fakes import ports

ANOTHER_RUN = "from tests.fakes.ports import free_port; print(*(free_port() for _ in range(50)))"


def test_no_port_is_given_twice_nor_to_clients():
    given = [ports.free_port() for _ in range(50)]
    assert len(set(given)) == 50
    with socket.create_server(("127.0.0.1", 0)) as any_port:
        assert max(given) < any_port.getsockname()[1]


def test_other_runs_get_others():
    """Even where each tries them in one order."""
    order = [f"import random; random.sample = lambda all, _: list(all); {ANOTHER_RUN}; input()"]
    with (
        subprocess.Popen([sys.executable, "-u", "-c", *order], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as one,
        subprocess.Popen([sys.executable, "-u", "-c", *order], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other,
    ):
        given = [one.stdout.readline().split(), other.stdout.readline().split()]
        one.communicate("\n")
        other.communicate("\n")
    assert len({*given[0], *given[1]}) == 100


def test_a_port_that_somebody_uses_is_not_given(monkeypatch):
    used, free = ports.free_port(), ports.free_port()
    for number in (used, free):
        ports._leases.pop(number).close()
    monkeypatch.setattr(ports.random, "sample", lambda _all, _count: [used, free])
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(type=kind) as user:
            user.bind(("127.0.0.9", used))
            assert ports.free_port() == free
        ports._leases.pop(free).close()

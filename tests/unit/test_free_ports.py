"""The ports that tests and benchmarks give to processes: nobody else gets them in between."""

import socket
import subprocess
import sys

import pytest

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


@pytest.mark.parametrize(
    ("clients", "least", "most"),
    [("32768 60999", 10_000, 32_767), ("10000 20000", 20_001, 65_535), ("1024 65535", 10_000, 65_535), ("10001 65535", 10_000, 65_535)],
)
def test_where_the_kernel_gives_clients_nearly_every_port_there_are_some_still(monkeypatch, tmp_path, clients, least, most):
    (tmp_path / "range").write_text(f"{clients.replace(' ', chr(9))}\n")
    monkeypatch.setattr(ports, "EPHEMERAL", tmp_path / "range")
    given = [ports.free_port() for _ in range(20)]
    assert least <= min(given) <= max(given) <= most

"""Socket activation: the units of deploy/systemd give Haystack its sockets, and clients wait in them while it is started again."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import dns.message
import dns.query
import pytest

from tests.fakes.activated import UNITS, Systemd
from tests.fakes.client import Client
from tests.fakes.origin import Origin
from tests.fakes.pki import Authority
from tests.fakes.ports import free_port
from tests.fakes.processes import called, children
from tests.fakes.tls import TlsClient, trusting
from tests.fakes.worker import Member, host, until

NAMES = ("http", "http-alt", "dns", "ssh")


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Systemd]:
    with Systemd(tmp_path, *NAMES) as made:
        yield made


def status(port: int, name: str) -> int:
    with Client(port) as client:
        return client.get(host(name)).status


def test_all_listeners_are_served_at_the_sockets_of_the_units(systemd: Systemd, origin: Origin) -> None:
    systemd.start(Member("web", origin.port), HAYSTACK_WORKERS="2")
    systemd.ready()
    assert {status(systemd.ports["http"], "web") for _ in range(20)} == {200}
    question = dns.message.make_query(host("web"), "A")
    for ask in (dns.query.udp, dns.query.tcp):
        for where in ("127.0.0.1", "::1"):
            answer = ask(question, where, port=systemd.ports["dns"], timeout=5)
            assert str(answer.answer[0][0]) == "127.0.0.1" if where == "127.0.0.1" else answer.rcode() == 0
    systemd.stop()
    assert systemd.notified.recv(100) == b"STOPPING=1"


def test_https_is_served_at_its_socket_with_ipv4_and_ipv6(tmp_path: Path, origin: Origin) -> None:
    """haystack-https.socket is left out where there is no source of certificates: nobody would serve it."""
    authority, certs = Authority(tmp_path), tmp_path / "certs"
    certs.mkdir()
    authority.write(certs, "inside", "*.services.haystack")
    with Systemd(tmp_path, *NAMES, "https") as systemd:
        systemd.start(Member("web", origin.port), HAYSTACK_CERTS=str(certs))
        systemd.ready()
        for where in ("127.0.0.1", "::1"):
            with TlsClient(systemd.ports["https"], trusting(authority.path), host("web"), to=where) as client:
                assert client.get(host("web")).status == 200
        systemd.stop()


def test_who_comes_while_it_is_started_again_waits_and_is_served(systemd: Systemd, origin: Origin) -> None:
    systemd.start(Member("web", origin.port))
    systemd.ready()
    systemd.stop()
    found: list[int] = []

    def ask() -> None:
        with Client(systemd.ports["http"], timeout=40) as client:
            found.append(client.get(host("web")).status)

    waiting = threading.Thread(target=ask)
    waiting.start()
    systemd.start(Member("web", origin.port))
    waiting.join(40)
    assert found == [200]
    systemd.stop()


def test_a_worker_that_dies_costs_nobody_else_anything(systemd: Systemd, origin: Origin) -> None:
    """All of them share each socket."""
    process = systemd.start(Member("web", origin.port), HAYSTACK_WORKERS="2")
    systemd.ready()
    os.kill(next(pid for pid in children(process.pid) if called(pid) == "haystack-worker"), signal.SIGKILL)
    assert {status(systemd.ports["http"], "web") for _ in range(20)} == {200}
    systemd.stop()


def test_a_socket_that_nobody_would_serve_stops_the_start(systemd: Systemd) -> None:
    process = systemd.start(HAYSTACK_HTTP_PORT=str(free_port()))
    assert process.wait(20) == 1
    port = systemd.ports["http"]
    why = f"the service manager has opened http at tcp 0.0.0.0:{port}, http at tcp [::]:{port}, and nothing"
    until(lambda: any(why in line.get("text", "") for line in systemd.lines), 9, f"{systemd.lines}")


def complaint(systemd: Systemd, **settings: str) -> str:
    """The one line with which it does not start."""
    assert systemd.start(**settings).wait(20) == 1
    until(lambda: any(line.get("text", "").startswith("haystack: ") for line in systemd.lines), 9, f"{systemd.lines}")
    assert not any("Traceback" in line.get("text", "") for line in systemd.lines)
    return next(line["text"] for line in systemd.lines if line.get("text", "").startswith("haystack: "))


def test_what_is_no_socket_stops_the_start_in_a_line(systemd: Systemd) -> None:
    """As of a unit with ListenFIFO=, or of a LISTEN_FDS that is too large."""
    reading, writing = os.pipe()
    with os.fdopen(reading) as pipe, os.fdopen(writing, "w"):
        systemd.sockets.append(("http", pipe))
        number = 2 + len(systemd.sockets)
        assert complaint(systemd).startswith(f"haystack: LISTEN_FDS={len(systemd.sockets)}, but descriptor {number} is no socket: ")


def test_a_socket_for_both_families_is_told_as_that(systemd: Systemd) -> None:
    """`ListenStream=80`, as most units have it. Its port is in use, but by nobody else."""
    with socket.socket(socket.AF_INET6) as both:
        both.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        both.bind(("::", 0))
        both.listen()
        systemd.sockets = [each for each in systemd.sockets if each[0] != "http"] + [("http", both)]
        port = both.getsockname()[1]
        why = complaint(systemd, HAYSTACK_HTTP_PORT=str(port))
    assert f"http at tcp [::]:{port} (IPv4 too)" in why
    assert "BindIPv6Only=ipv6-only" in why


def test_a_socket_that_does_not_listen_is_none_for_a_listener(systemd: Systemd) -> None:
    """As one of a unit with Accept=yes: whoever comes there would be refused, or wait for ever."""
    with socket.socket() as idle:
        idle.bind(("0.0.0.0", 0))
        systemd.sockets.append(("admin", idle))
        port = idle.getsockname()[1]
        assert f"admin at tcp 0.0.0.0:{port} (it does not listen): " in complaint(systemd, HAYSTACK_ADMIN=f"0.0.0.0:{port}")


needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")


def verified(folder: Path) -> tuple[int, str]:
    """What systemd says of the units in a folder: status and complaints."""
    for unit in folder.iterdir():
        unit.write_text(unit.read_text().replace("/opt/haystack/bin/haystack run", "/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", *folder.iterdir()], capture_output=True, text=True, timeout=120, check=False,
        env={"SYSTEMD_UNIT_PATH": f"{folder}:", "PATH": os.environ["PATH"]},
    )  # fmt: skip
    return done.returncode, done.stderr


@needs_systemd
def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    for unit in UNITS.iterdir():
        shutil.copy(unit, tmp_path)
    assert verified(tmp_path) == (0, "")


@needs_systemd
def test_systemd_accepts_the_service_without_sockets_as_the_page_says(tmp_path: Path) -> None:
    """docs/systemd.md, Workers: the command for those who want Haystack's own sockets."""
    (command,) = re.findall(r"^ +(sed -i .*haystack\.service)$", (UNITS.parents[1] / "docs" / "systemd.md").read_text(), re.MULTILINE)
    service = Path(shutil.copy(UNITS / "haystack.service", tmp_path))
    subprocess.run(["sh", "-c", command.replace("/etc/systemd/system/haystack.service", str(service))], check=True)
    assert verified(tmp_path) == (0, "")
    lines = service.read_text().splitlines()
    assert {"AmbientCapabilities=CAP_NET_BIND_SERVICE", "CapabilityBoundingSet=CAP_NET_BIND_SERVICE"} <= set(lines)
    assert "CapabilityBoundingSet=" not in lines

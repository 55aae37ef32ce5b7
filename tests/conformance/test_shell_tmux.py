"""Every command of the shell in a real terminal: tmux draws what OpenSSH's client shows of `haystack demo`."""

from __future__ import annotations

import http.client
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest

from haystack.console import shell
from tests.fakes.demo import Demo
from tests.fakes.tmux import Tmux

pytestmark = pytest.mark.skipif(not (shutil.which("tmux") and shutil.which("ssh")), reason="tmux or ssh is not installed")
PROMPT = r"haystack>\s*\Z"
SERVICE = "nginx.services.haystack"
# What is typed for each command, what is on the screen then, and the key that ends it where it goes on.
TYPED: dict[str, tuple[str, str, str]] = {
    "help": ("help drain", r"usage: drain .*--wait +return when .*example: ", ""),
    "service": ("service web.nginx", r"web-001 +ready: running", ""),
    "services": ("services web", r"web\.nginx\.services\.haystack +1/1", ""),
    "containers": ("containers web", r"web-001 +nginx +127\.0\.0\.1", ""),
    "networks": ("networks", "no networks yet", ""),
    "engines": ("engines", r"demo +.*connected", ""),
    "peers": ("peers", "no peers: HAYSTACK_PEERS names other Haystacks", ""),
    "endpoints": ("endpoints nginx", r"web\.nginx .*ready: running", ""),
    "explain": (f"explain http://{SERVICE}/x", rf"service {SERVICE}, by host .*picked: by p2c among", ""),
    "dig": ("dig web-001.containers.haystack", r"NOERROR.* A +127\.0\.0\.1", ""),
    "who": (f"who {SERVICE}", r"127\.0\.0\.1 +HTTP", ""),
    "probe": (f"probe {SERVICE}/x", "status +200", ""),
    "top": ("top", r"REQ/S.*READY *\n *nginx +[1-9][\d.]* +0\.0 +[\d.]+m?s +[\d.]+m?s .* 4/4", "q"),
    "tail": ("", "", ""),
    "events": ("events web-001", r"container\.started +web-001", ""),
    "replay": ("replay 1m web.nginx", r"in at the end of web\.nginx\.services\.haystack: web-001", ""),
    "cohorts": ("cohorts nginx", "all its endpoints run one image", ""),
    "drain": ("drain a --why 'new disk'", "a is drained", ""),
    "undrain": ("undrain a", "a is drained no more", ""),
    "weight": ("weight b 5 --for 1h", r"b:\d+ has weight 5 for 1 h", ""),
    "wait": ("wait nginx>=3", r"nginx\.services\.haystack: [34] of 4 endpoints are ready", ""),
    "certs": ("certs", "no certificates: set HAYSTACK_ACME", ""),
    "ca": ("ca", "HAYSTACK_TLS_LOCAL", ""),
    "trace": ("trace off", "trace off", ""),
    "log": ("log info", "log level info", ""),
    "config": ("config", r"HAYSTACK_BIND +127\.0\.0\.1 +the environment", ""),
    "limits": ("limits", "client connections", ""),
    "metrics": ("metrics", r"-- \d+ of \d+ lines", "q"),
    "version": ("version", r"Haystack \d", ""),
    "exit": ("", "", ""),
    "quit": ("", "", ""),
}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with Demo(Path(tmp_path_factory.mktemp("demo"))) as made:
        ask(made)
        yield made


@pytest.fixture(scope="module")
def screen(demo: Demo) -> Iterator[Tmux]:
    with Tmux(demo.ssh) as made:
        greeting = made.sees(PROMPT)
        assert greeting.startswith("Haystack ")
        yield made


def ask(demo: Demo) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", demo.ready["http"], timeout=10)
    connection.request("GET", "/asked", headers={"Host": SERVICE})
    assert connection.getresponse().read()
    connection.close()


@contextmanager
def traffic(demo: Demo) -> Iterator[None]:
    """Requests one after the other, for so long."""
    over = threading.Event()

    def go_on() -> None:
        while not over.wait(0.05):
            ask(demo)

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_each_command_has_its_line_here() -> None:
    assert list(TYPED) == list(shell.COMMANDS)


@pytest.mark.parametrize("name", [name for name, (line, *_) in TYPED.items() if line])
def test_a_command_on_a_real_screen(demo: Demo, screen: Tmux, name: str) -> None:
    line, pattern, end = TYPED[name]
    screen.clear()
    screen.sees(r"\A\s*haystack>\s*\Z")
    screen.type(line)
    try:
        with traffic(demo) if name == "top" else nullcontext():
            screen.sees(pattern)
    finally:
        if end:
            screen.press(end)
    assert "failed; the log says why" not in screen.sees(PROMPT)


def test_tail_shows_a_request_as_it_ends_and_ctrl_c_ends_it(demo: Demo, screen: Tmux) -> None:
    screen.clear()
    screen.type("tail nginx --path /asked")
    screen.sees("tail nginx --path /asked\n")
    over = 0
    while "/asked" not in screen.screen().replace("--path /asked", ""):
        ask(demo)
        over += 1
        assert over < 1000, "it shows nothing"
    screen.press("C-c")
    screen.sees(PROMPT)


@pytest.mark.parametrize("line", ["exit", "quit", "haystack:exit().", "exit()"])
def test_exit_and_quit_leave_the_shell(demo: Demo, line: str) -> None:
    with Tmux(["sh", "-c", " ".join(f"'{word}'" for word in demo.ssh) + "; echo over $?; cat"]) as made:
        made.sees(PROMPT)
        made.type(line)
        made.sees("over 0")

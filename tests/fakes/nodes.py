"""Engines as hosts of their own: each a dockerd in a network namespace, all on one bridge of this run, which is gone afterwards.

Needs root, dockerd, ip, iptables, nsenter and unshare, and an engine to take images from; `missing` says what there is not.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

NEEDED = ("dockerd", "docker", "ip", "iptables", "nsenter", "unshare")
SECONDS = 60.0  # for an engine to answer
REGISTRY = "127.0.0.1:9"  # refuses at once: nodes use the images that they have, and don't wait for an answer
NGINX, BUSYBOX = f"{REGISTRY}/nginx", f"{REGISTRY}/busybox"


def missing() -> str:
    """Why no engines can be made here; empty: they can."""
    if os.geteuid() != 0:
        return "only root makes network namespaces"
    absent = [name for name in NEEDED if shutil.which(name) is None]
    return f"there is no {', '.join(absent)}" if absent else ""


def run(*words: str, check: bool = True, timeout: float = 60.0, **more: object) -> str:
    """What a command has printed."""
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=timeout, **more)  # type: ignore[call-overload]
    assert not check or done.returncode == 0, f"{' '.join(words)}: {done.stderr[-1000:]}"
    return str(done.stdout).strip()


class Node:
    """One engine, at tcp://address:2375."""

    def __init__(self, token: str, number: int, address: str, folder: Path) -> None:
        self.name, self.address, self.number = f"hs{token}n{number}", address, number
        self.space = self.name
        self.folder = folder / self.name
        self._process: subprocess.Popen[bytes] | None = None
        self.host = f"tcp://{address}:2375"

    def docker(self, *words: str, check: bool = True, timeout: float = 60.0) -> str:
        """`docker …` of this engine."""
        return run("docker", "-H", self.host, *words, check=check, timeout=timeout)

    def start(self) -> None:
        """Have its engine run; what it holds is what it held before."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "pid").unlink(missing_ok=True)
        self._end_containerd()
        words = [
            "dockerd", "--data-root", f"{self.folder}/data", "--exec-root", f"{self.folder}/exec", "--pidfile", f"{self.folder}/pid",
            "-H", f"unix://{self.folder}/docker.sock", "-H", self.host, "--tls=false",
        ]  # fmt: skip
        named = f'hostname {self.name}; exec "$@"'
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                ["nsenter", f"--net=/run/netns/{self.space}", "unshare", "--uts", "--", "sh", "-c", named, "-", *words],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip

    def _end_containerd(self) -> None:
        """That of an engine which was killed runs on, and would be in the next one's way. Containers need none."""
        file = self.folder / "exec" / "containerd" / "containerd.pid"
        if not file.exists():
            return
        pid = int(file.read_text())
        with contextlib.suppress(OSError):  # it has ended
            if b"containerd" in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(pid, signal.SIGKILL)
        file.unlink()

    def _end_orphans(self) -> None:
        """Containers of an engine that could not end them, by their shims, whose command lines name this node's folder."""
        for found in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if f"{self.folder}/".encode() in (found / "cmdline").read_bytes():
                    for pid in (*map(int, (found / "task" / found.name / "children").read_text().split()), int(found.name)):
                        os.kill(pid, signal.SIGKILL)

    def answers(self) -> None:
        """Wait until it does."""
        end = time.monotonic() + SECONDS
        while subprocess.run(["docker", "-H", self.host, "version"], capture_output=True, check=False, timeout=30).returncode:
            assert self._process is not None
            assert self._process.poll() is None, f"it has ended: {self.log[-2000:]}"
            assert time.monotonic() < end, f"it does not answer: {self.log[-2000:]}"
            time.sleep(0.1)

    @property
    def log(self) -> str:
        """What it has logged."""
        return (self.folder / "log").read_text(errors="replace")

    def load(self, images: Path) -> None:
        """Take in images, as `docker save` has written them."""
        self.docker("load", "--input", str(images), timeout=120)
        for name in ("nginx", "busybox"):
            self.docker("tag", name, f"{REGISTRY}/{name}")

    def kill(self) -> None:
        """Its engine ends at once, as if it had crashed; containers run on."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(timeout=20)

    def unplug(self) -> None:
        """Cut it off: nobody hears of it any more."""
        run("ip", "link", "set", f"{self.name}v"[-15:], "down")

    def plug(self) -> None:
        """It is back."""
        run("ip", "link", "set", f"{self.name}v"[-15:], "up")

    def close(self) -> None:
        """Remove all of it: containers, engine, namespace, files."""
        with contextlib.suppress(subprocess.TimeoutExpired, AssertionError):
            self.plug()
            ids = self.docker("ps", "-aq", check=False, timeout=20).split()
            self.docker("swarm", "leave", "--force", check=False, timeout=20)
            if ids:
                self.docker("rm", "-fv", *ids, check=False, timeout=40)
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=20)
            if self._process.poll() is None:
                self._process.kill()
        self._end_orphans()
        run("ip", "netns", "del", self.space, check=False)
        run("ip", "link", "del", f"{self.name}v"[-15:], check=False)
        for line in reversed(Path("/proc/mounts").read_text().splitlines()):
            if line.split()[1].startswith(f"{self.folder}/"):
                run("umount", "-l", line.split()[1], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)


class Nodes:
    """So many engines, with these images, on a bridge: a context manager."""

    def __init__(self, count: int, images: tuple[str, ...] = ("nginx", "busybox")) -> None:
        number = random.randrange(50 * 256)
        self._token = f"{number:04x}"
        self._bridge = f"hs{self._token}"
        self._net = f"10.{200 + number // 256}.{number % 256}"
        self.folder = Path(tempfile.mkdtemp(prefix="haystack-nodes-"))
        self._images = images
        self._rules: list[tuple[str, ...]] = []
        self.all = [Node(self._token, number, f"{self._net}.{number}", self.folder) for number in range(2, 2 + count)]
        self.gateway = f"{self._net}.1"

    def __enter__(self) -> list[Node]:
        try:
            self._wire()
            for node in self.all:
                node.start()
            archive = self.folder / "images.tar"
            run("docker", "save", "--output", str(archive), *self._images, timeout=120)
            for node in self.all:
                node.answers()
                node.load(archive)
        except BaseException:
            self.close()
            raise
        return self.all

    def __exit__(self, *_: object) -> None:
        self.close()

    def _wire(self) -> None:
        """The bridge, and each node's cable. Docker lets nothing be forwarded that it does not know of."""
        run("ip", "link", "add", self._bridge, "type", "bridge")
        run("ip", "addr", "add", f"{self.gateway}/24", "dev", self._bridge)
        run("ip", "link", "set", self._bridge, "up")
        for rule in (("-i", self._bridge, "-j", "ACCEPT"), ("-o", self._bridge, "-j", "ACCEPT")):
            run("iptables", "-I", "FORWARD", *rule)
            self._rules.append(rule)
        for node in self.all:
            cable = f"{node.name}v"[-15:]
            run("ip", "netns", "add", node.space)
            run("ip", "link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", node.space)
            run("ip", "link", "set", cable, "master", self._bridge, "up")
            for words in (("link", "set", "lo", "up"), ("addr", "add", f"{node.address}/24", "dev", "eth0"), ("link", "set", "eth0", "up")):
                run("ip", "-n", node.space, *words)
            run("ip", "-n", node.space, "route", "add", "default", "via", self.gateway)

    def close(self) -> None:
        """Nothing is left."""
        for node in self.all:
            node.close()
        for rule in self._rules:
            run("iptables", "-D", "FORWARD", *rule, check=False)
        run("ip", "link", "del", self._bridge, check=False)
        shutil.rmtree(self.folder, ignore_errors=True)


def swarm(nodes: list[Node], managers: int) -> None:
    """Make one Swarm of these, the first so many its managers."""
    first = nodes[0]
    first.docker("swarm", "init", "--advertise-addr", first.address)
    tokens = {role: first.docker("swarm", "join-token", "-q", role) for role in ("manager", "worker")}
    for number, node in enumerate(nodes[1:], 1):
        role = "manager" if number < managers else "worker"
        node.docker("swarm", "join", "--advertise-addr", node.address, "--token", tokens[role], f"{first.address}:2377")


def inspect(node: Node, *words: str) -> object:
    """JSON that a command prints."""
    return json.loads(node.docker(*words))

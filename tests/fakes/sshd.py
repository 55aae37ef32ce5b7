"""OpenSSH's server, a process for each connection (`sshd -i`), behind a listener of this process: on any port, and each ends by itself."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import threading
from pathlib import Path
from typing import Self

PROGRAM = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin") or ""
CONFIG = """
AuthorizedKeysFile {folder}/authorized_keys
HostKey {key}
PasswordAuthentication no
PermitRootLogin prohibit-password
PidFile none
StrictModes no
UsePAM no
"""


class Sshd:
    """user: who may log in, by the key in `home`/.ssh, where known_hosts has the host key `good`; url: of the engine behind it."""

    def __init__(self, folder: Path) -> None:
        self.home, self._folder, self.user = folder / "home", folder, getpass.getuser()
        (self.home / ".ssh").mkdir(mode=0o700, parents=True)
        self._keys = {name: self._key(folder / name) for name in ("good", "other")}
        user_key = self._key(self.home / ".ssh" / "id_ed25519")
        (folder / "authorized_keys").write_text(user_key.with_suffix(".pub").read_text())
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"ssh://{self.user}@127.0.0.1:{self.port}"
        (self.home / ".ssh" / "known_hosts").write_text(f"[127.0.0.1]:{self.port} {(folder / 'good.pub').read_text()}")
        self.sessions: list[subprocess.Popen[bytes]] = []
        self._opened, self._ended = threading.Event(), False
        self.shown = "good"
        self.open()
        self._thread = threading.Thread(target=self._accept, daemon=True)

    @staticmethod
    def _key(path: Path) -> Path:
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True, timeout=20)
        return path

    def fingerprint(self, name: str) -> str:
        """Of a host key, as people compare it."""
        return subprocess.run(
            ["ssh-keygen", "-l", "-f", self._keys[name]], check=True, capture_output=True, text=True, timeout=20
        ).stdout.split()[1]

    def show(self, name: str) -> None:
        """New connections see this host key."""
        self.shown = name

    def open(self) -> None:
        """Answer who connects, and who waits for that."""
        self._opened.set()

    def shut(self) -> None:
        """Nobody who connects is answered."""
        self._opened.clear()

    def __enter__(self) -> Self:
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # where it locks strangers in; its service would make it
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended = True
        self.open()
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), 5).close()  # wakes the thread
        self._thread.join(10)
        self._listener.close()
        self.kill()
        for each in self.sessions:
            each.wait(10)

    def _accept(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            self._opened.wait()
            with connection:
                if self._ended:
                    return
                self._begin(connection)

    def _begin(self, connection: socket.socket) -> None:
        config = self._folder / f"config.{self.shown}"
        config.write_text(CONFIG.format(folder=self._folder, key=self._keys[self.shown]))
        with (self._folder / "log").open("ab") as log:
            words = [PROGRAM, "-i", "-e", "-f", config]
            self.sessions.append(subprocess.Popen(words, stdin=connection, stdout=connection, stderr=log, start_new_session=True))

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send this signal to the processes of each connection. SIGKILL: they end, and nobody says goodbye; SIGSTOP: they fall silent."""
        for each in self.sessions:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(each.pid, number)

    @property
    def log(self) -> str:
        """What it has logged."""
        return (self._folder / "log").read_text(errors="replace")

"""`haystack demo` as a process, on free ports, with a key for its shell."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import asyncssh

from tests.fakes import worker

PORTS = ("HTTP_PORT", "HTTP_ALT_PORT", "DNS_PORT", "SSH_PORT")


class Demo:
    """ready: what it says of itself once it serves. folder: for its state and the key."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.ready: dict[str, Any] = {}
        self._key, self._folder, self._settings = folder / "key", folder, settings
        self._process: subprocess.Popen[bytes]

    def __enter__(self) -> Self:
        key = asyncssh.generate_private_key("ssh-ed25519", comment="ann@example")
        key.write_private_key(self._key)
        self._key.chmod(0o600)
        chosen = {f"HAYSTACK_{name}": "0" for name in PORTS} | {
            "HAYSTACK_BIND": "127.0.0.1", "HAYSTACK_STATE_DIR": str(self._folder / "state"), "HAYSTACK_LOG_FORMAT": "json",
            "HAYSTACK_SSH_AUTHORIZED_KEYS": key.export_public_key().decode(), **self._settings,
        }  # fmt: skip
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HAYSTACK_", "DOCKER_"))}
        command = [sys.executable, "-m", "haystack", "demo"]
        self._process = subprocess.Popen(command, env={**kept, **chosen}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        worker.STARTED.append(self._process)
        assert self._process.stderr is not None
        for line in self._process.stderr:
            told = json.loads(line)
            if told.get("event") == "ready":
                self.ready = told
                return self
        worker.end(self._process)
        raise AssertionError("it has ended before it was ready")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.terminate()
        try:
            self._process.communicate(timeout=30)
        finally:
            worker.end(self._process)

    @property
    def ssh(self) -> list[str]:
        """The command that opens its shell."""
        options = ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "IdentitiesOnly=yes", "IdentityAgent=none")
        words = [word for option in options for word in ("-o", option)]
        return ["ssh", "-F", "none", *words, "-i", str(self._key), "-p", str(self.ready["ssh"]), "127.0.0.1"]

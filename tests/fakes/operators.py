"""An operator with a key: OpenSSH's client against a Haystack that runs."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import asyncssh

from tests.fakes.worker import Haystack

PATIENCE = 20
COMMENT = "eve@desk"


class Said(NamedTuple):
    """What a command printed, and its exit status."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its output as JSON."""
        return json.loads(self.out)


class Operator:
    """folder: for the key. settings: what a Haystack has to be started with so that this one may log in."""

    def __init__(self, folder: Path) -> None:
        key = asyncssh.generate_private_key("ssh-ed25519", comment=COMMENT)
        self._file = folder / "operator"
        key.write_private_key(self._file)
        self._file.chmod(0o600)
        self.settings = {"HAYSTACK_SSH_AUTHORIZED_KEYS": key.export_public_key().decode().strip()}

    def begin(self, haystack: Haystack, line: str) -> subprocess.Popen[str]:
        """Start one command."""
        ssh = [
            "ssh", "-F", "none", "-p", str(haystack.wait("ready")["ssh"]), "-i", str(self._file), "-o", "IdentitiesOnly=yes",
            "-o", "IdentityAgent=none", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR",
            "-o", "BatchMode=yes", "eve@127.0.0.1", line,
        ]  # fmt: skip
        return subprocess.Popen(ssh, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def end(self, process: subprocess.Popen[str]) -> Said:
        """Wait for its end."""
        out, err = process.communicate(timeout=PATIENCE)
        return Said(process.returncode, out, err)

    def says(self, haystack: Haystack, line: str) -> Said:
        """Run one command."""
        return self.end(self.begin(haystack, line))

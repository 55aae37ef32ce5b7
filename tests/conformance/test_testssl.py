"""What testssl.sh says of the HTTPS port, with a certificate of the tests' own CA: nothing of medium severity or worse."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.origin import Origin
from tests.fakes.pki import Authority
from tests.fakes.worker import Haystack, Member, host

WEB = host("web")
# protocols, kinds of ciphers, forward secrecy, what the server prefers and shows, known vulnerabilities
CHECKS = ("--protocols", "--standard", "--fs", "--server-preference", "--server-defaults", "--vulnerable")
BAD = frozenset({"WARN", "MEDIUM", "HIGH", "CRITICAL", "FATAL"})  # WARN: a check could not be done
# Of the certificate alone, which is made for a test: whoever runs Haystack brings another one.
OF_THE_CERTIFICATE = {
    "cert_validityPeriod": "it is valid for centuries",
    "cert_extlifeSpan": "the same",
    "cert_revocation": "its CA has neither a revocation list nor OCSP",
}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_nothing_of_medium_severity_or_worse_is_found(tmp_path: Path, origin: Origin):
    authority = Authority(tmp_path)
    (tmp_path / "certs").mkdir()
    authority.write(tmp_path / "certs", "default", WEB)  # some of its checks ask for no name
    with Haystack([Member("web", origin.port)], HAYSTACK_CERTS=str(tmp_path / "certs")) as haystack:
        findings = told(int(haystack.wait("ready")["https"]), authority.path, tmp_path / "found.json")
    by_id = {each["id"]: each for each in findings}
    # it has looked: a scan that ends early finds nothing bad either
    assert {name: by_id[name]["finding"] for name in ("TLS1", "TLS1_1", "TLS1_2")} == {
        "TLS1": "not offered", "TLS1_1": "not offered", "TLS1_2": "offered",
    }  # fmt: skip
    secrecy = "FS" if "FS" in by_id else "PFS"  # until version 3.0
    assert {by_id[name]["severity"] for name in ("TLS1_3", "cert_chain_of_trust", secrecy, "ROBOT", "LUCKY13", "RC4")} == {"OK"}
    assert [each for each in findings if each["severity"] in BAD and each["id"] not in OF_THE_CERTIFICATE] == []


def told(port: int, ca: Path, file: Path) -> list[dict[str, Any]]:
    """Its findings."""
    how = ("--quiet", "--color", "0", "--warnings", "off", "--nodns", "none", "--ip", "127.0.0.1", "--add-ca", str(ca))
    command = ["testssl", *how, *CHECKS, "--jsonfile", str(file), f"{WEB}:{port}"]
    # without GOST's ciphers, which Debian's OpenSSL has only where their engine is installed: it would warn that it can't look for them
    env = os.environ | {"NO_ENGINE": "true"}
    ended = subprocess.run(command, capture_output=True, text=True, timeout=800, check=False, stdin=subprocess.DEVNULL, env=env)
    assert file.exists(), ended.stdout + ended.stderr
    found: list[dict[str, Any]] = json.loads(file.read_text())
    return found

"""An OpenSSL that can't do what TLS needs: it is told why."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.proxy.test_lean_imports import OTHERS

WITHOUT_CIPHERS = """
openssl_conf = openssl_init
[openssl_init]
alg_section = algorithms
[algorithms]
default_properties = provider=none
"""
SET_UP = """
from haystack._fast.net.tls_server import TlsServer
print("imported")
try:
    TlsServer("1.2", print)
except RuntimeError as error:
    print(error)
"""


@pytest.mark.parametrize("settings", [WITHOUT_CIPHERS, ""])
def test_why_openssl_can_not_be_set_up_is_told(tmp_path: Path, settings: str) -> None:
    (tmp_path / "openssl.cnf").write_text(settings)
    env = {**OTHERS, "OPENSSL_CONF": str(tmp_path / "openssl.cnf")}
    done = subprocess.run([sys.executable, "-c", SET_UP], capture_output=True, text=True, timeout=120, check=False, env=env)
    told = ["OpenSSL has no AES-256-CBC: unsupported"] if settings else []
    assert (done.stdout.splitlines(), done.stderr) == (["imported", *told], "")

"""/metrics tells of handshakes of TLS, with clients and with endpoints, and how they ended."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.fakes.client import Client
from tests.fakes.origin import Loop, Origin, respond
from tests.fakes.pki import Authority, server_context
from tests.fakes.tls import TlsClient, failure, trusting
from tests.fakes.worker import Haystack, Member, host, until

WEB, INSIDE = host("web"), "inside.internal"


def told(haystack: Haystack) -> dict[str, float]:
    """By peer and result."""
    with Client(haystack.port) as client:
        lines = client.get("localhost", "/metrics").body.decode().splitlines()
    rows = [line for line in lines if line.startswith("haystack_tls_handshakes_total{")]
    return {" ".join(row.split('"')[1::2]): float(row.rpartition(" ")[2]) for row in rows}


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    (tmp_path / "certs").mkdir()
    made = Authority(tmp_path)
    made.write(tmp_path / "certs", "web", WEB)
    return made


def test_handshakes_are_counted_by_how_they_end(tmp_path: Path, authority: Authority, fakes: Loop) -> None:
    origin = Origin(fakes, respond(), tls=server_context(*authority.issue(INSIDE))).start()
    labels = {"haystack.protocol": "https", "haystack.tls.ca": str(authority.path), "haystack.tls.server_name": INSIDE}
    wrong = labels | {"haystack.tls.server_name": "other.internal", "haystack.wait": "off"}
    members = [Member("web", origin.port, labels), Member("wrong", origin.port, wrong)]
    with Haystack(members, HAYSTACK_CERTS=str(tmp_path / "certs")) as haystack:
        port, context = int(haystack.wait("ready")["https"]), trusting(authority.path)
        assert told(haystack) == dict.fromkeys(
            [f"{peer} {how}" for peer in ("client", "endpoint") for how in ("full", "resumed", "failed")], 0
        )
        with TlsClient(port, context, WEB) as client:
            assert client.get(WEB).status == 200
            session = client.tls.session
        for _ in range(2):
            with TlsClient(port, context, WEB, session=session) as client:
                assert client.get(WEB).status == 200
        assert failure(port, context, "unknown.example.com")
        with Client(haystack.port) as client:
            assert client.get(host("wrong")).status == 502
        first = {"client full": 1, "client resumed": 2, "client failed": 1, "endpoint full": 1}
        until(lambda: {key: told(haystack)[key] for key in first} == first, 10, str(told(haystack)))
        assert told(haystack)["endpoint failed"] >= 1
        (worker,) = haystack.workers()
        os.kill(worker, signal.SIGKILL)
        until(lambda: haystack.workers() not in ([], [worker]), 20, "the dead worker was not replaced")
        with TlsClient(port, context, WEB, session=session) as client:
            assert client.get(WEB).status == 200
        until(lambda: told(haystack)["client resumed"] == 3, 10, "what it had counted is gone")
    origin.stop()

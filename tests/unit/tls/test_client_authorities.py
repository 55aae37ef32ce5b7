"""HAYSTACK_TLS_CLIENT_CA: what is read of a file, what is refused, and what workers are told."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from haystack.settings.settings import load
from haystack.startup import checks
from haystack.tls import client_authorities
from haystack.tls.client_authorities import ClientAuthoritiesError, ClientAuthoritiesFile, read
from tests.fakes.clientele import Clientele
from tests.fakes.pki import days


@pytest.fixture(scope="module")
def clients(tmp_path_factory) -> Clientele:
    folder = tmp_path_factory.mktemp("clients")
    return Clientele(folder, folder)


def test_authorities_and_revocation_lists_are_found_between_anything(clients, tmp_path):
    other = Clientele(tmp_path, tmp_path, "other")
    file = tmp_path / "file.pem"
    parts = [clients.path.read_bytes(), b"Some words\n", clients.revoking(clients.issue("x")), other.path.read_bytes()]
    file.write_bytes(b"".join(parts))
    told, names, lists = read(file)
    assert [name.rpartition("O=")[2] for name in names] == ["clients", "other"]
    assert (lists, told.pem.count(b"BEGIN CERTIFICATE"), told.pem.count(b"BEGIN X509 CRL"), len(told.mark)) == (1, 2, 1, 32)


def test_the_mark_is_that_of_what_counts(clients, tmp_path):
    other = Clientele(tmp_path, tmp_path, "other").path.read_bytes()
    one, marks = clients.path.read_bytes(), []
    for content in (one + other, other + b"\n# text\n" + one, one, one + clients.revoking(), one + clients.revoking(clients.issue("x"))):
        (tmp_path / "file.pem").write_bytes(content)
        marks.append(read(tmp_path / "file.pem")[0].mark)
    assert marks[0] == marks[1]
    assert len(set(marks)) == 4


def test_what_can_not_be_used_is_refused(clients, tmp_path, monkeypatch):
    monkeypatch.setattr(client_authorities, "MOST_AUTHORITIES", 2)
    one = clients.path.read_bytes()
    key = clients.issue("x").private_key_pem.bytes()
    for content, why in (
        (key, "no certificate"),
        (one * 3, "has 3 certificates"),
        (one + b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n", "can't be read"),
        (one + clients.revoking(until=days(-1)), "was to be replaced by"),
        (clients.issue("x").cert_chain_pems[0].bytes(), "may not sign others"),
        (one + b" " * client_authorities.MOST, "too long"),
    ):
        (tmp_path / "file.pem").write_bytes(content)
        with pytest.raises(ClientAuthoritiesError, match=why):
            read(tmp_path / "file.pem")


async def test_workers_are_told_of_what_is_good_and_new_alone(clients, tmp_path):
    told = []
    file = ClientAuthoritiesFile(tmp_path / "file.pem", told.append)
    with capture_logs() as lines:
        await file.look()
        assert list(file.welcome()) == []
        for content in (clients.path.read_bytes(), clients.path.read_bytes(), b"", clients.path.read_bytes() + clients.revoking()):
            (tmp_path / "file.pem").write_bytes(content)
            await file.look()
    assert [line["event"].removeprefix("authorities.") for line in lines] == ["broken", "read", "read", "broken", "read"]
    assert [line["kept"] for line in lines if "kept" in line] == ["nothing: all clients are refused", "the authorities that were read last"]
    assert len(told) == 2
    assert list(file.welcome()) == told[1:]


def test_without_https_it_is_told_to_have_no_effect(clients):
    settings = load({"tls_client_ca": str(clients.path)})
    assert any("HAYSTACK_TLS_CLIENT_CA has no effect" in line for line in checks.warnings(settings))
    assert list(checks._client_ca(settings)) == []

"""Whom endpoints' certificates may be signed by: what labels name is read, told to the workers and to the checks, and read again."""

from __future__ import annotations

import ssl

import pytest

from haystack.health.endpoint_tls import Seal, Unsealed
from haystack.loop.turns import at_once
from haystack.model import endpoints, ports
from haystack.model.records import Container, Listing, Options
from haystack.tls import trust
from haystack.tls.trust import PENDING, Trust
from tests.fakes.pki import Authority
from tests.oracles import snapshot


class Watched:
    """A Trust, and what it tells."""

    def __init__(self) -> None:
        self.told: list[dict[str, int]] = []
        self.changes = 0
        self.trust = Trust(lambda message: self.told.append({ca: len(pems) for ca, pems in message.authorities}), self._changed)

    def _changed(self) -> None:
        self.changes += 1

    def show(self, *options: Options) -> list[Seal | Unsealed]:
        """Follow a snapshot of a container for each; what there is for each now."""
        made = [
            Container(
                id=f"{n}" * 64, name="x", engine="e", services=("x",), address="192.0.2.1", ports=(ports.named(443, "tcp"),), options=o
            )
            for n, o in enumerate(options, 1)
        ]
        at_once(self.trust.follow(snapshot.build(1 + len(self.told), "haystack", {"x": Listing(containers=tuple(made))}, 0.0)))
        return [self.trust.seal(endpoints.endpoints("haystack", each)[0]) for each in made]


@pytest.fixture
def watched():
    return Watched()


def asked(ca: object = None, **more: object) -> Options:
    return Options(protocol="https", tls_ca=None if ca is None else str(ca), **more)


async def test_a_file_is_read_told_and_read_again_when_it_changes(watched, tmp_path):
    authority = Authority(tmp_path)
    options = asked(authority.path, tls_server_name="db")
    assert watched.show(options) == [PENDING]
    await watched.trust.look()
    (seal,) = watched.show(options)
    assert (seal.name, seal.context.verify_mode, seal.context.check_hostname) == ("db", ssl.CERT_REQUIRED, True)
    assert (watched.told, watched.changes) == ([{str(authority.path): 1}], 1)
    await watched.trust.look()
    assert (len(watched.told), watched.changes) == (1, 1)
    authority.path.write_bytes(authority.path.read_bytes() * 2)
    await watched.trust.look()
    assert watched.told[1:] == [{str(authority.path): 2}]
    assert watched.show(options)[0].context is not seal.context


@pytest.mark.parametrize("content", [b"", b"nothing", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", None])
async def test_a_bad_file_is_told_and_what_was_read_before_counts(watched, tmp_path, content):
    authority = Authority(tmp_path)
    good = authority.path.read_bytes()
    bad = tmp_path / "bad.pem"
    if content is not None:
        bad.write_bytes(content)
    watched.show(asked(bad))
    await watched.trust.look()
    (found,) = watched.show(asked(bad))
    assert (isinstance(found, Unsealed), found.pending, str(bad) in found.why) == (True, False, True)
    bad.write_bytes(good)
    await watched.trust.look()
    assert isinstance(watched.show(asked(bad))[0], Seal)
    bad.unlink() if content is None else bad.write_bytes(content)
    await watched.trust.look()
    assert isinstance(watched.show(asked(bad))[0], Seal)


@pytest.mark.parametrize("path", ["/dev/zero", "/", "/dev/stdin"])
async def test_only_a_file_is_read(watched, path):
    watched.show(asked(path))
    await watched.trust.look()
    assert "it is not a file" in watched.show(asked(path))[0].why


async def test_without_a_label_the_systems_count_and_that_there_are_none_is_told(watched, tmp_path, monkeypatch):
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.path))
    watched.show(asked())
    await watched.trust.look()
    assert isinstance(watched.show(asked())[0], Seal)
    assert watched.told == [{"": 1}]
    monkeypatch.setattr(trust, "system", lambda: None)
    lonely = Watched()
    lonely.show(asked())
    await lonely.trust.look()
    assert "install ca-certificates" in lonely.show(asked())[0].why


async def test_who_is_not_verified_needs_no_file(watched):
    options = asked("/nowhere.pem", tls_verify=False)
    watched.show(options)
    await watched.trust.look()
    (seal,) = watched.show(options)
    assert (seal.context.verify_mode, watched.told) == (ssl.CERT_NONE, [])


async def test_what_nobody_asks_for_any_more_is_let_go(watched, tmp_path):
    watched.show(asked(Authority(tmp_path).path))
    await watched.trust.look()
    watched.show()
    await watched.trust.look()
    assert watched.told[1:] == [{}]

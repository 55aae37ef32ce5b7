"""HAYSTACK_CERTS: what is read, when, and what a bad file changes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from types import SimpleNamespace

import pytest

from haystack.proxy.account import Account
from haystack.startup.unprivileged import acting_as
from haystack.tls import certificates
from haystack.tls.folder import Folder, scan
from haystack.tls.store import FOLDER, Store
from tests.fakes.folders import open_to_all


@pytest.fixture
def store() -> Store:
    return Store()


def entries(store):
    store.publish()
    return {key: (entry.certificate.names if entry.certificate else None, entry.error) for (_, key), entry in store.picture.entries.items()}


async def test_pairs_and_both_in_one_file_are_read(authority, tmp_path, store):
    authority.write(tmp_path, "a", "a.x")
    chain, key = authority.issue("b.x")
    (tmp_path / "b.pem").write_bytes(chain + key)
    (tmp_path / ".hidden.pem").write_bytes(b"")
    (tmp_path / "readme.txt").write_text("")
    (tmp_path / "lonely.key").write_bytes(key)
    await Folder(tmp_path, store).look(patient=False)
    assert entries(store) == {"a": (("a.x",), ""), "b": (("b.x",), "")}


async def test_nothing_is_read_on_the_loop(authority, tmp_path, store, monkeypatch):
    authority.write(tmp_path, "a", "a.x")
    threads = []

    def read(*texts):
        threads.append(threading.current_thread())
        return certificates.read(*texts)

    monkeypatch.setattr("haystack.tls.folder.certificates", SimpleNamespace(MOST=certificates.MOST, read=read))
    await Folder(tmp_path, store).look()
    assert entries(store) == {"a": (("a.x",), "")}
    assert len(threads) == 1
    assert threading.current_thread() not in threads


async def test_a_certificate_without_its_key_is_told(authority, tmp_path, store):
    (tmp_path / "a.crt").write_bytes(authority.issue("a.x")[0])
    await Folder(tmp_path, store).look(patient=False)
    assert entries(store) == {"a": (None, "there is no a.key beside a.crt")}


async def test_half_a_pair_is_told_of_only_if_it_stays_so(authority, tmp_path, store):
    authority.write(tmp_path, "a", "a.x")
    folder = Folder(tmp_path, store)
    await folder.look()
    chain, key = authority.issue("a.x", "new.x")
    (tmp_path / "a.crt").write_bytes(chain)
    await folder.look()
    assert entries(store) == {"a": (("a.x",), "")}
    await folder.look()
    assert entries(store) == {"a": (("a.x",), "the private key is not that of the certificate")}
    (tmp_path / "a.key").write_bytes(key)
    await folder.look()
    assert entries(store) == {"a": (("a.x", "new.x"), "")}


async def test_one_that_has_gone_is_let_go_at_the_second_look(authority, tmp_path, store):
    authority.write(tmp_path, "a", "a.x")
    folder = Folder(tmp_path, store)
    await folder.look()
    (tmp_path / "a.crt").unlink()
    await folder.look()
    assert list(entries(store)) == ["a"]
    await folder.look()
    assert store.keys(FOLDER) == frozenset()
    authority.write(tmp_path, "a", "a.x")
    await folder.look()
    assert list(entries(store)) == ["a"]


async def test_a_folder_that_goes_changes_nothing(authority, tmp_path, store):
    there = tmp_path / "certs"
    there.mkdir()
    authority.write(there, "a", "a.x")
    folder = Folder(there, store)
    await folder.look()
    there.rename(tmp_path / "gone")
    await folder.look()
    await folder.look()
    assert list(entries(store)) == ["a"]


async def test_links_are_followed(authority, tmp_path, store):
    (tmp_path / "real").mkdir()
    authority.write(tmp_path / "real", "a", "a.x")
    (tmp_path / "certs").mkdir()
    for kind in ("crt", "key"):
        (tmp_path / "certs" / f"www.{kind}").symlink_to(tmp_path / "real" / f"a.{kind}")
    folder = Folder(tmp_path / "certs", store)
    await folder.look()
    assert entries(store) == {"www": (("a.x",), "")}
    assert set(scan(tmp_path / "certs")) == {"www"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
async def test_a_renewed_key_that_is_roots_alone_is_named_and_read_as_soon_as_it_may_be(authority, tmp_path, store):
    """chgrp and chmod change neither size nor time of a file: it was looked at again only after the next renewal."""
    open_to_all(tmp_path)
    authority.write(tmp_path, "a", "a.x")
    key, folder = tmp_path / "a.key", Folder(tmp_path, store)
    key.chmod(0o600)
    with acting_as(Account("nobody", 65534, 65534)):
        await folder.look(patient=False)
    assert entries(store)["a"] == (None, f"Permission denied for user 65534: to mend it, chgrp 65534 {key}; chmod g+r {key}")
    os.chown(key, -1, 65534)
    key.chmod(0o640)
    with acting_as(Account("nobody", 65534, 65534)):
        await folder.look(patient=False)
    assert entries(store) == {"a": (("a.x",), "")}


async def test_the_folder_of_certificates_is_watched(authority, tmp_path, store):
    told = asyncio.Event()
    task = asyncio.create_task(Folder(tmp_path, store).run())
    store.subscribe(lambda picture: told.set() if "a.x" in picture.names else None)
    authority.write(tmp_path, "a", "a.x")
    await asyncio.wait_for(told.wait(), 20)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task

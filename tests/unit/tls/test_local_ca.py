"""Haystack's own authority: what it issues is good for names under ORIGIN and localhost, and clients refuse it for any other."""

from __future__ import annotations

import datetime as dt
import stat
import subprocess

import pytest

from haystack.tls import local_ca
from haystack.tls.local_ca import LIFETIME

NOW = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)


@pytest.fixture
def ca(tmp_path):
    return local_ca.load(tmp_path / "state", "haystack")


def verified(folder, ca, *names, host):
    """Whether OpenSSL takes a certificate of this authority for a host."""
    (folder / "ca.pem").write_bytes(ca.pem)
    (folder / "leaf.pem").write_bytes(ca.issue(names).chain)
    words = ["openssl", "verify", "-x509_strict", "-CAfile", "ca.pem", "-verify_hostname", host, "leaf.pem"]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("name", "host"),
    [
        ("*.services.haystack", "nginx.services.haystack"),
        ("*.nginx.services.haystack", "web.nginx.services.haystack"),
        ("haystack", "haystack"),
        ("app.localhost", "app.localhost"),
    ],
)
def test_clients_that_trust_it_take_what_it_issues(ca, tmp_path, name, host):
    assert verified(tmp_path, ca, name, host=host) == (True, "")


@pytest.mark.parametrize("name", ["www.example.com", "nothaystack", "services.haystack.example.com"])
def test_clients_refuse_it_for_names_that_are_not_under_origin(ca, tmp_path, name):
    good, error = verified(tmp_path, ca, name, host=name)
    assert not good
    assert "permitted subtree violation" in error


def test_it_is_kept_for_this_user_alone_and_the_same_at_the_next_start(ca, tmp_path):
    (path,) = (tmp_path / "state" / "local-ca").iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert local_ca.load(tmp_path / "state", "haystack").pem == ca.pem
    assert b"PRIVATE KEY" not in ca.pem


def test_another_origin_has_another_one(ca, tmp_path):
    assert local_ca.load(tmp_path / "state", "lab").pem != ca.pem
    assert local_ca.load(tmp_path / "state", "haystack").pem == ca.pem


def test_one_that_others_can_read_is_refused_and_left_alone(ca, tmp_path):
    (path,) = (tmp_path / "state" / "local-ca").iterdir()
    path.chmod(0o644)
    before = path.read_bytes()
    assert local_ca.load(tmp_path / "state", "haystack").pem != ca.pem
    assert path.read_bytes() == before


def test_without_a_folder_to_keep_it_in_it_lives_as_long_as_the_process(tmp_path):
    (tmp_path / "state").write_text("a file is in the way")
    assert local_ca.load(tmp_path / "state", "haystack").issue(["haystack"]).names == ("haystack",)


def test_a_damaged_one_is_told_and_left_alone(ca, tmp_path):
    (path,) = (tmp_path / "state" / "local-ca").iterdir()
    path.write_bytes(b"-----BEGIN CERTIFICATE-----\n")
    path.chmod(0o600)
    assert local_ca.load(tmp_path / "state", "haystack").pem != ca.pem
    assert path.read_bytes() == b"-----BEGIN CERTIFICATE-----\n"


def test_who_is_a_moment_later_takes_what_the_first_one_has_made(tmp_path, monkeypatch):
    first = local_ca.load(tmp_path / "other", "haystack")
    (made,) = (tmp_path / "other" / "local-ca").iterdir()

    def late(path, _data):
        path.parent.mkdir(parents=True)
        path.write_bytes(made.read_bytes())
        path.chmod(0o600)
        return False

    monkeypatch.setattr(local_ca.private_file, "create", late)
    assert local_ca.load(tmp_path / "state", "haystack").pem == first.pem


def test_near_its_end_it_is_replaced(tmp_path):
    first = local_ca.load(tmp_path, "haystack", lambda: NOW)
    assert local_ca.load(tmp_path, "haystack", lambda: NOW + LIFETIME - dt.timedelta(days=100)).pem == first.pem
    assert local_ca.load(tmp_path, "haystack", lambda: NOW + LIFETIME - dt.timedelta(days=80)).pem != first.pem


def test_what_it_issues_ends_before_it_does(tmp_path):
    late = NOW + LIFETIME - dt.timedelta(days=2)
    made = local_ca.LocalCa(
        local_ca.load(tmp_path, "haystack", lambda: NOW)._key, local_ca.load(tmp_path, "haystack", lambda: NOW)._certificate, lambda: late
    )
    assert made.issue(["haystack"]).not_after == (NOW + LIFETIME).timestamp()

"""As whom workers run."""

import pytest

from haystack.proxy import account

STATUS = "Name:\tx\nCapEff:\t{:016x}\n"


@pytest.mark.parametrize(
    ("bits", "lacking"),
    [((1 << 41) - 1, []), (0, ["CAP_CHOWN", "CAP_SETGID", "CAP_SETUID"]), (1 << 0 | 1 << 7, ["CAP_SETGID"])],
)
def test_root_without_capabilities_is_known(tmp_path, bits, lacking):
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "status").write_text(STATUS.format(bits))
    assert account.missing(tmp_path) == lacking


def test_who_is_not_root_has_workers_of_the_same_user(monkeypatch):
    monkeypatch.setattr(account.os, "geteuid", lambda: 1000)
    assert account.account() is None


def test_root_has_workers_of_nobodys(monkeypatch, tmp_path):
    monkeypatch.setattr(account.os, "geteuid", lambda: 0)
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "status").write_text(STATUS.format((1 << 41) - 1))
    found = account.account(tmp_path)
    assert found is not None
    assert found.uid > 0 < found.gid


def test_root_without_capabilities_keeps_its_workers(monkeypatch, tmp_path):
    monkeypatch.setattr(account.os, "geteuid", lambda: 0)
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "status").write_text(STATUS.format(0))
    assert account.account(tmp_path) is None


def test_without_proc_nothing_tells_of_capabilities(tmp_path):
    assert account.missing(tmp_path / "missing") == ["CAP_CHOWN", "CAP_SETGID", "CAP_SETUID"]


@pytest.mark.parametrize(
    ("uids", "gids", "groups", "lacking"),
    [
        ("0 0 4294967295\n", "0 0 4294967295\n", "allow\n", []),
        ("0 1000 1\n1 100000 65536\n", "0 1000 1\n1 100000 65536\n", "allow\n", []),
        ("0 0 1\n", "0 0 1\n", "deny\n", ["65534 in uid_map", "65534 in gid_map", "setgroups"]),
    ],
)  # fmt: skip
def test_a_user_namespace_without_the_workers_user_is_told(monkeypatch, tmp_path, uids, gids, groups, lacking):
    monkeypatch.setattr(account, "ACCOUNTS", ())
    monkeypatch.setattr(account.os, "geteuid", lambda: 0)
    (tmp_path / "self").mkdir()
    for name, text in {"status": STATUS.format((1 << 41) - 1), "uid_map": uids, "gid_map": gids, "setgroups": groups}.items():
        (tmp_path / "self" / name).write_text(text)
    assert account.missing(tmp_path) == lacking
    assert (account.account(tmp_path) is None) == bool(lacking)

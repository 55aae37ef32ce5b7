"""What a control process that was started as root gives up, what it keeps, and when it stays root."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from haystack.proxy import landlock
from haystack.proxy.account import Account
from haystack.settings import otel
from haystack.settings.settings import load
from haystack.startup import keeper, secrets, state_owner, unprivileged
from tests.fakes.folders import open_to_all

NOBODY = Account("nobody", 65534, 65534)
root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has something to give up")


def printed(code: str, **environment: str) -> str:
    """What a Python of its own prints."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False, env={"PATH": "/bin", **environment}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@root
def test_another_user_keeps_the_capability_to_bind_ports_and_no_other():
    code = """if True:
        from haystack.startup import capabilities as c
        c.become(65534, 65534, (c.NET_BIND_SERVICE,))
        print(open("/proc/self/status").read())
    """
    status = dict(line.split(":\t", 1) for line in printed(code).splitlines() if ":\t" in line)
    assert status["Uid"].split() == ["65534"] * 4
    assert status["Gid"].split() == ["65534"] * 4
    assert status["Groups"].split() == []
    assert [int(status[name], 16) for name in ("CapEff", "CapPrm", "CapInh", "CapAmb")] == [1 << 10, 1 << 10, 0, 0]
    assert status["NoNewPrivs"] == "1"


def given(folder: Path) -> list[str]:
    """What can't be given of a folder, relative to it."""
    return [str(path.relative_to(folder)) for path in state_owner.give(folder, NOBODY.uid, NOBODY.gid)]


@root
def test_the_state_folder_becomes_the_users_and_no_file_that_has_another_name(tmp_path: Path):
    state, outside = tmp_path / "state", tmp_path / "outside"
    outside.write_text("root's")
    (state / "keys").mkdir(parents=True)
    (state / "keys" / "host").write_text("x")
    (state / "link").symlink_to(outside)
    (state / "folder").symlink_to(tmp_path)
    assert given(state) == []
    assert {path.stat().st_uid for path in (state, state / "keys", state / "keys" / "host")} == {NOBODY.uid}
    assert (outside.stat().st_uid, tmp_path.stat().st_uid) == (0, 0)
    (state / "later").hardlink_to(outside)  # which that user may have put there
    assert given(state) == ["later"]
    assert outside.stat().st_uid == 0


@root
def test_what_root_wrote_later_into_the_users_folder_becomes_that_users_too(tmp_path: Path):
    state = tmp_path / "state"
    (state / "acme").mkdir(parents=True)
    for folder in (state / "acme", state):
        os.chown(folder, NOBODY.uid, NOBODY.gid)
    key, strange = state / "acme" / "account.json", state / "strange"
    for path in (key, strange):
        path.write_text("x")
        path.chmod(0o600)
    os.chown(strange, 12345, 12345)
    assert given(state) == ["strange"]
    assert (key.stat().st_uid, strange.stat().st_uid) == (NOBODY.uid, 12345)


@root
def test_another_file_system_below_the_state_folder_stays_its_owners(tmp_path: Path):
    state = tmp_path / "state"
    (state / "mounted").mkdir(parents=True)
    code = f"""if True:
        import os, subprocess
        from pathlib import Path
        subprocess.run(["mount", "-t", "tmpfs", "none", {str(state / "mounted")!r}], check=True)
        other = Path({str(state / "mounted" / "other")!r})
        other.write_text("x")
        from haystack.startup import state_owner
        print(*state_owner.give(Path({str(state)!r}), 65534, 65534), other.stat().st_uid, other.parent.stat().st_uid)
    """
    done = subprocess.run(["unshare", "-m", sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    if "ermitted" in done.stderr:
        pytest.skip("no mounts here")
    assert done.stdout.split() == [str(state / "mounted"), "0", "0"], done.stderr


@root
def test_a_state_folder_that_is_not_there_is_made(tmp_path: Path):
    assert given(tmp_path / "a" / "state") == []
    assert ((tmp_path / "a" / "state").stat().st_uid, (tmp_path / "a").stat().st_uid) == (NOBODY.uid, 0)


@pytest.fixture
def readable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that any user comes to, with code that any user may read."""
    open_to_all(tmp_path)
    monkeypatch.setattr(unprivileged.launch, "PACKAGE", str(tmp_path))
    monkeypatch.setattr(sys, "executable", "/bin/sh")
    monkeypatch.setattr(sys, "prefix", "/")
    return tmp_path


@root
def test_a_state_folder_that_the_user_can_t_reach_is_not_given_away(readable: Path):
    state = readable / "private" / "state"
    state.mkdir(parents=True)
    state.parent.chmod(0o700)
    assert unprivileged._reasons(load({"state_dir": str(state)}), NOBODY) == [f"HAYSTACK_STATE_DIR: {state} can't be reached"]
    assert state.stat().st_uid == 0


@root
def test_a_key_that_can_t_be_given_keeps_it_root(readable: Path):
    state = readable / "state"
    state.mkdir()
    key = state / "ssh_host_ed25519_key"
    key.write_text("x")
    key.chmod(0o600)
    (readable / "copy").hardlink_to(key)
    settings = load({"state_dir": str(state)})
    assert unprivileged._reasons(settings, NOBODY) == [f"HAYSTACK_STATE_DIR: {key}"]
    (readable / "copy").unlink()
    assert unprivileged._reasons(settings, NOBODY) == []
    assert key.stat().st_uid == NOBODY.uid


@root
def test_what_the_user_could_not_read_keeps_it_root(readable: Path):
    tmp_path = readable
    certs = tmp_path / "certs"
    certs.mkdir()
    (certs / "a.crt").write_text("x")
    (certs / "a.key").write_text("x")
    (certs / "a.key").chmod(0o600)
    settings = load({"certs": str(certs), "state_dir": str(tmp_path / "state")})
    assert unprivileged._reasons(settings, NOBODY) == [f"HAYSTACK_CERTS: {certs / 'a.key'}"]
    assert not (tmp_path / "state").exists(), "nothing is given away by one that stays root"
    (certs / "a.key").chmod(0o640)
    os.chown(certs / "a.key", 0, NOBODY.gid)
    assert unprivileged._reasons(settings, NOBODY) == []
    assert (tmp_path / "state").stat().st_uid == NOBODY.uid
    assert os.geteuid() == 0


@root
@pytest.mark.parametrize("name", otel.FILES)
def test_what_the_exporter_of_spans_could_not_read_keeps_it_root(readable: Path, name: str, monkeypatch: pytest.MonkeyPatch):
    """No span was sent any more, and the collector was said to be at fault."""
    (readable / "x.pem").write_text("x")
    (readable / "x.pem").chmod(0o600)
    monkeypatch.setenv(name, str(readable / "x.pem"))
    monkeypatch.setenv(otel.ENDPOINTS[1], "https://collector:4318")
    assert unprivileged._reasons(load({"state_dir": str(readable / "state")}), NOBODY) == [f"{name}: {readable / 'x.pem'}"]


@pytest.mark.parametrize(
    ("name", "value", "secret"),
    [
        ("DOCKER_KEY", "x", True), ("HAYSTACK_ACME_EAB", "x", True), ("OTEL_EXPORTER_OTLP_HEADERS", "x", True), ("GITHUB_TOKEN", "x", True),
        ("HTTPS_PROXY", "http://me:pass@proxy", True), ("HTTPS_PROXY", "http://proxy:3128", False), ("PATH", "/bin", False),
        ("SSL_CERT_FILE", "/etc/x.pem", False), ("LANG", "C", False), ("RES_OPTIONS", "ndots:1", False),
    ],
)  # fmt: skip
def test_which_variables_are_secret(name: str, value: str, secret: bool):
    assert secrets.is_secret(name, value.encode()) == secret


def test_secrets_are_hidden_from_proc_and_kept_for_python():
    code = """if True:
        import os
        from haystack.startup import secrets
        secrets.hide()
        print(open("/proc/self/environ", "rb").read(), os.environ["MY_SECRET"], os.environ["DOCKER_KEY"], os.getenv("LANG"))
    """
    shown, secret, key, lang = printed(code, MY_SECRET="s3cret", DOCKER_KEY="k3y", LANG="C").rsplit(maxsplit=3)
    assert (secret, key, lang) == ("s3cret", "k3y", "C")
    assert "s3cret" not in shown
    assert "k3y" not in shown
    assert "MY_SECRET=" in shown
    assert "LANG=C" in shown


@pytest.mark.parametrize(
    ("words", "environment", "wanted"),
    [
        (["run"], {}, True), (["auto"], {}, True), (["run", "--replace"], {}, True), (["demo"], {}, False), (["check"], {}, False),
        (["run"], {"HAYSTACK_STATIC": "x"}, False), (["run", "--static", "x"], {}, False), (["run", "--static=x"], {}, False),
        (["run", "--help"], {}, False), ([], {}, False), (["run"], {"HAYSTACK_STATIC": ""}, True),
    ],
)  # fmt: skip
def test_a_keeper_is_started_where_engines_are_watched(words: list[str], environment: dict[str, str], wanted: bool):
    assert keeper.wanted(words, environment) == wanted


GOES_ON = """if True:
    import os, sys
    from haystack.proxy import launch
    from haystack.settings.settings import load
    from haystack.startup import unprivileged
    launch.PACKAGE = sys.executable = "/bin/sh"
    sys.prefix = "/"
    unprivileged.go_on(load({{"state_dir": {state!r}}}))
    print(os.geteuid(), os.stat({state!r}).st_uid)
"""


def went_on(folder: Path, users: str) -> list[str]:
    """What a process prints that goes on where the system knows these users."""
    open_to_all(folder)
    state = folder / "state"
    state.mkdir()
    (folder / "passwd").write_text(f"root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n{users}")
    words = ["unshare", "-m", "sh", "-c", f'mount --bind {folder / "passwd"} /etc/passwd && exec "$@"', "sh", sys.executable, "-c"]
    done = subprocess.run([*words, GOES_ON.format(state=str(state))], capture_output=True, text=True, timeout=120, check=False)
    if "ermission denied" in done.stderr or "not permitted" in done.stderr:
        pytest.skip("no mounts here")
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@root
def test_root_goes_on_as_the_user_haystack(tmp_path: Path):
    assert went_on(tmp_path, "haystack:x:65532:65532::/:/bin/false\n")[-1] == "65532 65532"


@root
def test_without_a_user_haystack_it_stays_root_and_says_how_to_make_one(tmp_path: Path):
    """Other daemons of the machine are `nobody` as well: none of them may read its keys."""
    line, last = went_on(tmp_path, "")
    assert last == "0 0"
    assert "privileges.kept" in line
    assert "useradd" in line


@root
def test_where_nobody_else_can_be_acted_as_it_stays_root_and_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def forbidden(groups: list[int]) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(unprivileged.account, "account", lambda: Account("haystack", 65532, 65532))
    monkeypatch.setattr(os, "setgroups", forbidden)
    monkeypatch.setattr(unprivileged.capabilities, "prctl", lambda *_: None)  # it would be for good
    with capture_logs() as logs:
        unprivileged.go_on(load({"state_dir": str(tmp_path)}))
    kept = [(line["event"], line["reason"]) for line in logs if line["event"] != "workers.unconfined"]
    assert kept == [("privileges.kept", "can't become this user: Operation not permitted")]
    assert os.geteuid() == 0


@root
def test_acting_as_another_user_ends_with_what_was_there_before():
    code = """if True:
        import os
        from haystack.proxy.account import Account
        from haystack.startup.unprivileged import acting_as
        os.setgroups([3, 4])
        os.setegid(7)
        with acting_as(Account("x", 65534, 65534)):
            print(os.geteuid(), os.getegid(), os.getgroups())
        print(os.geteuid(), os.getegid(), sorted(os.getgroups()))
    """
    assert printed(code).splitlines() == ["65534 65534 []", "0 7 [3, 4]"]


def test_others_of_its_user_can_not_look_into_the_control_process(tmp_path: Path):
    """A worker may be one of them: ptrace(2), /proc/PID/mem, /proc/PID/fd and pidfd_getfd(2) go by the same flag."""
    code = f"""if True:
        import ctypes
        from haystack.settings.settings import load
        from haystack.startup import unprivileged
        from haystack.proxy import account
        account.account = lambda: None
        unprivileged.go_on(load({{"state_dir": {str(tmp_path)!r}}}))
        print(ctypes.CDLL(None).prctl(3))
    """
    assert printed(code).split()[-1] == "0"


@pytest.mark.parametrize(
    ("version", "other", "told"),
    [
        (-1, None, True), (0, Account("haystack", 65532, 65532), True), (-1, NOBODY, False),
        (1, None, False), (1, Account("haystack", 65532, 65532), False),
    ],
)  # fmt: skip
def test_that_a_worker_could_read_keys_is_told(version: int, other: Account | None, told: bool, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(unprivileged.account, "account", lambda: other)
    monkeypatch.setattr(unprivileged, "_given_up", lambda *_: None)
    monkeypatch.setattr(unprivileged.capabilities, "prctl", lambda *_: None)  # it would be for good
    monkeypatch.setattr(landlock, "version", lambda: version)
    with capture_logs() as logs:
        unprivileged.go_on(load({}))
    assert [line["event"] for line in logs] == ["workers.unconfined"] * told

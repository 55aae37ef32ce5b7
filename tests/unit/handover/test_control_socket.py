"""Where the control socket is: a health check finds it, also where the state folder can't be used."""

import os
import stat
from pathlib import Path

import pytest

from haystack.command_line import healthcheck
from haystack.handover import control_socket


def test_it_is_in_the_state_folder_there_or_not_there_yet(tmp_path):
    assert control_socket.control(tmp_path) == tmp_path / "control.sock"
    assert control_socket.control(tmp_path / "a" / "b") == tmp_path / "a" / "b" / "control.sock"
    control_socket.make(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()


@pytest.mark.parametrize("why", ["denied", "too long"])
def test_without_one_it_is_in_a_folder_of_this_user_alone_and_of_that_state_folder(why, tmp_path, monkeypatch):
    """As in a container that runs as another user: its health check is right all the same."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    state = Path("/var/lib/haystack") if why == "denied" else tmp_path / ("x" * 100)
    if why == "denied":
        access = os.access
        monkeypatch.setattr(
            control_socket.os, "access", lambda path, mode: Path(path) == tmp_path if mode != os.F_OK else access(path, mode)
        )
    path = control_socket.control(state)
    assert path.parent.parent == tmp_path
    assert str(os.geteuid()) in path.parent.name
    assert path != control_socket.control(state / "other")
    control_socket.make(path.parent)
    control_socket.make(path.parent)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_another_users_folder_is_not_used(tmp_path, monkeypatch):
    """A stranger may have made it first: /tmp is everybody's."""
    (tmp_path / "haystack-0-1").mkdir()
    monkeypatch.setattr(control_socket.os, "geteuid", lambda: 12345)
    with pytest.raises(PermissionError, match="another user"):
        control_socket.make(tmp_path / "haystack-0-1")


def test_a_client_that_is_another_user_finds_it(tmp_path, monkeypatch):
    """As root by `docker exec`, of a Haystack that has given root up and may not write its state folder."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(control_socket, "TEMPORARY", (str(tmp_path),))
    state = tmp_path / "state"
    state.mkdir()
    monkeypatch.setattr(control_socket, "_writable", lambda _: False)
    monkeypatch.setattr(control_socket.os, "geteuid", lambda: 12345)
    theirs = control_socket.control(state)
    theirs.parent.mkdir()
    own = tmp_path.stat().st_uid
    theirs.parent.rename(tmp_path / theirs.parent.name.replace("12345", str(own)))
    monkeypatch.undo()
    monkeypatch.setattr(control_socket, "TEMPORARY", (str(tmp_path),))
    monkeypatch.delenv("TMPDIR", raising=False)
    made = next(tmp_path.glob("haystack-*"))
    assert control_socket.places(state) == [state / "control.sock", made / "control.sock"]
    made.rename(tmp_path / made.name.replace(f"-{own}-", f"-{own + 1}-"))  # whose it is not
    (tmp_path / made.name).symlink_to(tmp_path)
    assert control_socket.places(state) == [state / "control.sock"]


@pytest.mark.parametrize(("user", "other"), [(1234, " or as root"), (0, ", for this root lacks CAP_DAC_OVERRIDE")])
def test_a_socket_that_one_may_not_use_is_told_with_who_may(tmp_path, monkeypatch, user, other):
    whose = tmp_path.stat().st_uid
    monkeypatch.setattr(control_socket.os, "geteuid", lambda: user)
    assert control_socket.denied(tmp_path / "none" / "control.sock").endswith(
        f"do so as user {whose}{other} (in a container: docker exec --user {whose})"
    )


def test_a_health_check_believes_no_socket_of_a_stranger_and_says_whose_it_is(tmp_path, monkeypatch):
    """Anybody may make such a folder in /tmp, and answer there for a Haystack that is dead."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    state = tmp_path / "state"
    state.mkdir()
    strange = tmp_path / "strange" / control_socket.NAME
    monkeypatch.setattr(control_socket, "places", lambda _: [strange])
    monkeypatch.setattr(control_socket, "owner", lambda path: 12345 if path == strange.parent else os.geteuid())
    monkeypatch.setattr(healthcheck, "ask", lambda _: pytest.fail("a stranger was asked"))
    with pytest.raises(healthcheck.SilentError, match="belongs to user 12345, who is not believed"):
        healthcheck.first([state])

"""`haystack run --replace` in containers that a restart policy starts again: one serves, and the other one waits for its end."""

from __future__ import annotations

from contextlib import contextmanager

import pytest

STATIC = '[[container]]\nname = "one"\nimage = "one"\naddress = "127.0.0.1"\nports = ["9/tcp"]\n'


@pytest.fixture
def volume(client):
    made = client.volumes.create()
    yield made.name
    made.remove(force=True)


@contextmanager
def started(host, image, volume, folder):
    """A container as people run it who replace one by the other: the state folder is shared, and it is always started again."""
    volumes = {volume: {"bind": "/var/lib/haystack"}, str(folder): {"bind": "/etc/haystack", "mode": "ro"}}
    environment = {"HAYSTACK_STATIC": "/etc/haystack/static.toml", "HAYSTACK_WORKERS": "1", "HAYSTACK_LOG_FORMAT": "json"}
    policy = {"Name": "unless-stopped"}
    container = host.run(image, ["run", "--replace"], volumes=volumes, environment=environment, restart_policy=policy)
    try:
        yield container
    finally:
        container.remove(force=True)


def said(container, event):
    """How often."""
    return container.logs().decode().count(event)


def test_two_that_replace_each_other_do_so_once(host, image, volume, tmp_path, eventually):
    """They replaced each other seven times in 15 s."""
    tmp_path.chmod(0o755)
    (tmp_path / "static.toml").write_text(STATIC)
    with started(host, image, volume, tmp_path) as first:
        eventually(lambda: said(first, '"ready"'), 30, lambda: first.logs().decode())
        with started(host, image, volume, tmp_path) as second:
            eventually(lambda: said(first, '"handover.waiting"'), 30, lambda: first.logs().decode())
            first.reload()
            assert (first.attrs["RestartCount"], said(second, '"handover.finished"'), said(second, '"haystack.replaced"')) == (1, 1, 0)
            second.stop(timeout=20)
            eventually(lambda: said(first, '"ready"') == 2, 30, lambda: first.logs().decode())
            assert said(first, '"handover.resumed"')
        first.stop(timeout=20)
        first.reload()
        assert first.attrs["State"]["ExitCode"] == 0


def test_one_that_waits_stops_when_it_is_told_to(host, image, volume, tmp_path, eventually):
    """It is the first process of its container, which a signal does not end by itself."""
    tmp_path.chmod(0o755)
    (tmp_path / "static.toml").write_text(STATIC)
    with started(host, image, volume, tmp_path) as first:
        eventually(lambda: said(first, '"ready"'), 30, lambda: first.logs().decode())
        with started(host, image, volume, tmp_path):
            eventually(lambda: said(first, '"handover.waiting"'), 30, lambda: first.logs().decode())
            first.stop(timeout=20)
            first.reload()
            assert (first.attrs["State"]["ExitCode"], first.attrs["State"]["Running"]) == (0, False)

"""The keeper and its orders."""

from __future__ import annotations

import subprocess
import sys

import pytest

from haystack.command_line import commands
from haystack.settings.settings import load

TOLD = """if True:
    from haystack.startup import keeper
    kept = keeper.fork()
    from haystack.discovery.apart.messages import Setup, packed
    from haystack.discovery.apart.remote import Apart
    from haystack.discovery.apart.values import values
    from haystack.settings.settings import load
    settings = values(load({{"docker_host": "tcp://127.0.0.1:9", "swarm": "off"}})) | {{"docker_ca": "x" * {size}}}
    kept.instruct(packed(Setup(settings)))
    another = kept.launch()
    print([[each.source for each in Apart(channel, kept).sources()] for channel in (kept.channel, another)])
    kept.dismiss()
    another.close()
"""


@pytest.mark.parametrize("size", [10, 230_000, 1_500_000])
def test_settings_of_any_length_reach_the_first_process_and_those_after_it(size: int) -> None:
    """As with all authorities of the system in DOCKER_CA_FILE: a packet of that length can't be sent."""
    done = subprocess.run([sys.executable, "-c", TOLD.format(size=size)], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("[['tcp://127.0.0.1:9'], ['tcp://127.0.0.1:9']]\n", "")


class Gone:
    """A keeper that has ended."""

    def instruct(self, setup: bytes) -> None:
        raise BrokenPipeError(32, "Broken pipe")


def test_a_keeper_that_has_gone_is_told_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.run(load({"http_port": "0"}), keeper=Gone()) == 1  # type: ignore[arg-type]
    assert capsys.readouterr().err == "haystack: discovery can't be started: Broken pipe\n"

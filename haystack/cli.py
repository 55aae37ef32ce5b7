"""The command `haystack`: hands a command line over to who knows it, and imports no more than that one needs.

Never does the work itself. An image's health check runs every few seconds, beside the Haystack that serves: it may not cost it a second of
its core each time, so what is quick is told apart before anything large is imported.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

from haystack import __version__

if TYPE_CHECKING:
    from haystack.startup.keeper import Keeper

VERSION = ("version", "--version", "-V")


def command() -> NoReturn:
    """The command as it is installed: main, and then the end at once.

    To take an interpreter of this size apart takes up to seconds on a busy machine, and `docker stop` kills what has not ended after ten:
    all that has to be closed is closed by then.
    """
    status = main(sys.argv[1:], _prepared(sys.argv[1:]))
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # nobody reads it any more
            stream.flush()
    os._exit(status)


def _prepared(words: Sequence[str]) -> Keeper | None:
    """Hide secrets from /proc, before anybody could look; then start who watches engines, while there is little to share with it."""
    if words[:1] not in (["run"], ["auto"], ["demo"], ["check"]):
        return None
    from haystack.net import activation  # noqa: PLC0415 - a health check needs none of it
    from haystack.startup import keeper, secrets  # noqa: PLC0415 - as above

    if flaw := activation.flaw(os.environ):
        sys.exit(f"haystack: {flaw}")
    secrets.hide()
    return keeper.fork() if keeper.wanted(words, os.environ) else None


def main(words: Sequence[str] | None = None, keeper: Keeper | None = None) -> int:
    """Run one command line; the status to exit with. keeper: who watches engines, for a command that does that; None: it does so itself."""
    given = list(sys.argv[1:] if words is None else words)
    if len(given) == 1 and given[0] in VERSION:
        sys.stdout.write(f"haystack {__version__}\n")
        return 0
    if given[:1] == ["healthcheck"]:
        from haystack.command_line import healthcheck  # noqa: PLC0415 - it alone

        return healthcheck.main(given[1:])
    from haystack.proxy import socket_folder  # noqa: PLC0415 - as below

    try:
        socket_folder.choose_temporary()  # what comes now makes temporary files while it is imported
    except socket_folder.FolderError as error:
        print(f"haystack: {error}", file=sys.stderr)  # noqa: T201 - the command line's answer
        return 1
    from haystack.observe import plain_structlog  # noqa: PLC0415 - as below

    plain_structlog.load()
    from haystack.command_line import commands  # noqa: PLC0415 - it brings all settings

    return commands.main(given, keeper)

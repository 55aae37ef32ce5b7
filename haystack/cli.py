"""The command `haystack`: hands a command line over to who knows it, and imports no more than that one needs.

Never does the work itself. An image's health check runs every few seconds, beside the Haystack that serves: it may not cost it a second of
its core each time, so what is quick is told apart before anything large is imported.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from haystack import __version__

VERSION = ("version", "--version", "-V")


def main(words: Sequence[str] | None = None) -> int:
    """Run one command line; the status to exit with."""
    given = list(sys.argv[1:] if words is None else words)
    if len(given) == 1 and given[0] in VERSION:
        sys.stdout.write(f"haystack {__version__}\n")
        return 0
    if given[:1] == ["healthcheck"]:
        from haystack.command_line import healthcheck  # noqa: PLC0415 - it alone

        return healthcheck.main(given[1:])
    from haystack.proxy import sandbox  # noqa: PLC0415 - as below

    try:
        sandbox.choose_temporary()  # what comes now makes temporary files while it is imported
    except sandbox.FolderError as error:
        print(f"haystack: {error}", file=sys.stderr)  # noqa: T201 - the command line's answer
        return 1
    from haystack.command_line import commands  # noqa: PLC0415 - it brings all settings, and the docker package

    return commands.main(given)

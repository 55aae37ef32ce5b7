"""One Haystack from its start to its end, for `run` and `demo`: event loop, folder for sockets, and the line that says why it failed.

Never says what a part does: app.py composes them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial

import uvloop

from haystack.app import App, PortError, Processes, WorkersError
from haystack.discovery import providers
from haystack.discovery.apart.remote import Apart, NoDiscoveryError
from haystack.discovery.provider import Provider
from haystack.handover import standby
from haystack.handover.client import ReplaceError
from haystack.handover.identity import home
from haystack.loop import garbage
from haystack.loop.turns import share
from haystack.net import descriptors
from haystack.proxy import socket_folder
from haystack.settings.settings import Settings
from haystack.startup import unprivileged
from haystack.startup.keeper import Keeper

Watched = Callable[[], Sequence[Provider]]


async def serve(settings: Settings, watched: Watched, *, replace: bool = False, processes: Processes = ()) -> None:
    """Run one Haystack from start to stop. Raises PortError, WorkersError, ReplaceError and NoDiscoveryError."""
    old = None
    if replace:
        try:
            old = await standby.predecessor(settings.state_dir, home())
        except standby.StoppedError:
            return
        unprivileged.go_on(settings)  # not before: one that is replaced, of an older version, is root, and trusts nobody else
    sources = watched()
    with socket_folder.folder() as folder:
        try:
            await App(settings, sources, folder, old, processes).run()
        finally:
            if old is not None:
                old.close()


def main(settings: Settings, *, demo: bool, replace: bool = False, keeper: Keeper | None = None, processes: Processes = ()) -> int:
    """Run until told to stop; the status to exit with, once startup/bootstrap.py has begun.

    keeper: who watches engines, in processes of their own; None: this one does; processes: for workers, started ahead.
    """
    garbage.seldom()
    share()
    watched = Apart(keeper.channel, keeper).sources if keeper else partial(providers, settings, demo=demo)
    try:
        uvloop.run(serve(settings, watched, replace=replace, processes=processes))
    except (PortError, WorkersError, ReplaceError, NoDiscoveryError, socket_folder.FolderError) as error:
        kept = "nothing was replaced: " if isinstance(error, ReplaceError) else ""  # the old one serves on
        sys.stderr.write(f"haystack: {kept}{error}\n")
        return 1
    except (OSError, RuntimeError) as error:
        if not (why := descriptors.shortage(error)):
            raise
        sys.stderr.write(f"haystack: {why}\n")
        return 1
    return 0

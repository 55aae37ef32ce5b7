"""What ends first when Haystack stops."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

from haystack.app import CERTIFICATES, App


async def test_nothing_is_ordered_any_more_while_it_drains():
    app = App.__new__(App)
    app.settings, app.giver = SimpleNamespace(drain=0.0), SimpleNamespace(released=True)
    app.api = app.console = SimpleNamespace(leave=lambda: None)
    app.tasks, going = set(), {}

    async def drain(_seconds, *, patient):
        assert patient
        await asyncio.sleep(0)
        going.update({task.get_name(): not task.done() for task in tasks})

    app.proxy = SimpleNamespace(drain=drain)
    app._spawn(asyncio.Event().wait(), CERTIFICATES)
    app._spawn(asyncio.Event().wait(), "docker")
    tasks = tuple(app.tasks)
    await asyncio.sleep(0)
    await app._drain()
    assert going == {CERTIFICATES: False, "docker": True}
    assert all(task.cancelled() for task in tasks)

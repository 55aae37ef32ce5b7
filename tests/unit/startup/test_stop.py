"""What ends first when Haystack stops."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

from haystack.app import CERTIFICATES, App
from haystack.startup.tasks import Tasks


async def test_nothing_is_ordered_any_more_while_it_drains():
    app = App.__new__(App)
    app.settings, app.giver = SimpleNamespace(drain=0.0), SimpleNamespace(released=True)
    app.api = app.console = SimpleNamespace(leave=lambda: None)
    app.tasks, going = Tasks(lambda: None), {}

    async def drain(_seconds, *, patient):
        assert patient
        await asyncio.sleep(0)
        going.update({task.get_name(): not task.done() for task in tasks})

    app.proxy = SimpleNamespace(drain=drain, workers=())
    tasks = [app.tasks.spawn(asyncio.Event().wait(), name) for name in (CERTIFICATES, "docker")]
    await asyncio.sleep(0)
    await app._drain()
    assert going == {CERTIFICATES: False, "docker": True}
    assert all(task.cancelled() for task in tasks)

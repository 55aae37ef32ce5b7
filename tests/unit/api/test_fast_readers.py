"""A client that takes all there is at once, so that no `send` ever waits."""

import asyncio

from haystack.api.pages import Page
from haystack.api.streamed import Streamed, Streams


async def test_others_have_their_turn_between_the_pieces_of_a_long_answer():
    async def make():
        return [b"x"] * 500

    turns, sent = 0, []

    async def other():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def send(message):
        sent.append(message.get("body"))

    task = asyncio.create_task(other())
    await Streamed(Streams(), Page(make), {})({"type": "http", "method": "GET", "path": "/", "headers": []}, None, send)
    task.cancel()
    assert b"".join(filter(None, sent)) == b"x" * 500
    assert turns > 500

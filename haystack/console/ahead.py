"""What a command needs to have asked of others before it is done: workers' counts, nameservers, workers' tables of who asked.

So commands are pure. Never says anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from haystack.console import askers, command_line, commands
from haystack.console.commands import Context
from haystack.loop.turns import in_turns
from haystack.views.state import State


async def heard(state: State, words: Sequence[str], context: Context) -> Context:
    """The context with what the command is to know. It waits some seconds at most."""
    name, *arguments = command_line.normal(words) or [""]
    command = commands.COMMANDS.get(name)
    if command is None or not command.least <= len(arguments) <= command.most:
        return context
    if name == "metrics":
        await state.refresh()
    elif name == "dig":
        return replace(context, heard=await state.responder.resolve(*commands.asked(arguments), context.local))
    elif name == "who":
        subject = await in_turns(askers.subject(state, arguments[0]))
        return replace(context, heard=await state.proxy.askers(subject.name, subject.clients))
    return context

"""`help [COMMAND]`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from haystack.console.command import USAGE, Asked, Command, Context, Kind, Result, word
from haystack.console.suggestions import suggested
from haystack.console.tables import Column, table
from haystack.console.wrapping import prose
from haystack.observe.safe_text import printable
from haystack.views.state import State


def all_commands(commands: Mapping[str, Command], width: int | None) -> str:
    """A line a command, and how to go on."""
    rows = [(each.name if width else each.usage, each.summary) for each in commands.values()]  # a terminal has little room
    told = table((Column("command", fold=True), Column("what it does", fold=True)), rows, width)
    return f"{told}\nhelp COMMAND shows its options and an example."


def of(command: Command, width: int | None) -> str:
    """How one command is used, what its arguments are, and an example."""
    lines = [*prose([f"usage: {command.usage}", command.summary], width)]
    if command.arguments:
        titles = (Column("argument", fold=True), Column("what it is", fold=True))
        lines += ["", table(titles, [(_shown(each), each.told) for each in command.arguments], width)]
    lines += ["", *prose([command.more], width)] if command.more else []
    lines += ["", f"example: {command.example}"] if command.example else []
    return "\n".join(lines)


def _shown(argument: object) -> str:
    """An argument's flags and value."""
    flags, shown = getattr(argument, "flags", ()), getattr(argument, "shown", "")
    return " ".join(filter(None, [", ".join(flags), shown]))


def command(table_of_all: Callable[[], Mapping[str, Command]]) -> Command:
    """The command that knows all of them, itself included."""

    def help_(_state: State, asked: Asked, context: Context) -> Result:
        commands, name = table_of_all(), (asked["command"] or "").lower()
        if not name:
            return Result(all_commands(commands, context.width))
        if name not in commands:
            return Result(f"no command {printable(name)!r}{suggested(name, commands)}", USAGE)
        return Result(of(commands[name], context.width))

    argument = word("command", "COMMAND", "which one; else all are listed", completes=Kind.COMMANDS, needed=False)
    return Command("help", "this list, or how one command is used; also COMMAND --help and ?", (argument,), help_, example="help explain")

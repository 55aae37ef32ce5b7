"""The words behind a command's name, read by argparse as the command's table of arguments has them. Pure.

argparse alone decides what is an option and what a word; it neither prints nor exits here.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from typing import NoReturn

from haystack.console.command import Argument, Asked, Command, Kind
from haystack.model import spelling
from haystack.observe.safe_text import printable


class UsageError(Exception):
    """The words are not what the command takes; the text says what is wrong."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Instead of printing and exiting."""
        raise UsageError(message.removeprefix("argument "))


def read(command: Command, words: Sequence[str]) -> Asked:
    """What was asked, by each argument's dest. Raises UsageError."""
    parser = _Parser(prog=command.name, add_help=False, allow_abbrev=False, prefix_chars="-")
    for each in command.arguments:
        _add(parser, each)
    found, left = parser.parse_known_intermixed_args(list(words))
    if left:
        raise UsageError(_odd(command, left[0]))
    return vars(found)


def _add(parser: argparse.ArgumentParser, each: Argument) -> None:
    reader = _reader(each.takes)
    if not each.flags:
        number = "*" if each.many else None if each.needed else "?"
        parser.add_argument(each.dest, metavar=each.shown, type=reader, nargs=number, default=each.default)
    elif each.shown:
        parser.add_argument(*each.flags, dest=each.dest, metavar=each.shown, type=reader, default=each.default)
    else:
        parser.add_argument(*each.flags, dest=each.dest, action="store_true")


def _reader(takes: Callable[[str], object]) -> Callable[[str], object]:
    """What argparse calls: it shows the text of this error alone."""

    def read_one(text: str) -> object:
        try:
            return takes(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"{printable(text)!r}: {error}") from None

    return read_one


def _odd(command: Command, left: str) -> str:
    """A word too many, or an option that there is not."""
    if not left.startswith("-"):
        return f"{printable(left)!r} is a word too many"
    if not command.options:
        return f"{command.name} takes no options"
    near = spelling.nearest(left.partition("=")[0], [flag for each in command.options for flag in each.flags])
    return f"no option {printable(left)}" + (f"; did you mean {near}?" if near else "")


def completions(command: Command, before: Sequence[str], names: Callable[[Kind], list[str]]) -> list[str]:
    """What may follow these words of a command: what completes the argument that is next, and the options not given yet."""
    given, place, awaited = set[str](), 0, None
    for text in before:
        if awaited is not None:
            awaited = None
        elif found := next((each for each in command.options if text in each.flags), None):
            given.add(found.dest)
            awaited = found if found.shown else None
        else:
            place += 1
    if awaited is not None:
        return _what(awaited, names)
    return [*_at(command, place, names), *(each.flags[0] for each in command.options if each.dest not in given)]


def _at(command: Command, place: int, names: Callable[[Kind], list[str]]) -> Iterator[str]:
    """What completes the word at this place; the last one may stand for many."""
    words = command.words
    if place < len(words):
        yield from _what(words[place], names)
    elif words and words[-1].many:
        yield from _what(words[-1], names)


def _what(each: Argument, names: Callable[[Kind], list[str]]) -> list[str]:
    return names(each.completes) if isinstance(each.completes, Kind) else list(each.completes)

"""A rule of Traefik's routers (doc.traefik.io, HTTP routers, rule) as hosts and path prefixes. Pure.

Understood are Host and PathPrefix, with `&&`, `||` and brackets. An alternative with any other matcher, or a negation, says so, for without
that it would lead to more than it was meant to.
"""

from __future__ import annotations

import re
from typing import NamedTuple

LONGEST = 4096  # characters of a rule
DEEPEST = 20  # brackets within one another
MOST = 200  # alternatives
_TOKEN = re.compile(r"\s*(&&|\|\||!|\(|\)|,|[A-Za-z]+|`[^`]*`|\"(?:[^\"\\]|\\.)*\")")


class RuleError(ValueError):
    """A rule that can't be read; the text says why."""


class Target(NamedTuple):
    """One alternative of a rule. hosts, prefixes: any of these, of each list that is not empty; other: matchers that are not understood."""

    hosts: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    other: tuple[str, ...] = ()


def read(rule: str) -> list[Target]:
    """The alternatives of a rule. Raises RuleError."""
    if len(rule) > LONGEST:
        raise RuleError("it is too long")
    reader = _Reader(_tokens(rule))
    found = reader.alternatives(0)
    if reader.peek():
        raise RuleError(f"{reader.peek()!r} was not expected")
    return found


def _tokens(rule: str) -> list[str]:
    found, at = [], 0
    while rule[at:].strip():
        match = _TOKEN.match(rule, at)
        if match is None:
            raise RuleError(f"{rule[at:].strip()[:20]!r} is not understood")
        found.append(match.group(1))
        at = match.end()
    return found


class _Reader:
    """By recursive descent. `||` binds less than `&&`."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._at = 0

    def peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _next(self) -> str:
        word = self.peek()
        self._at += 1
        return word

    def alternatives(self, depth: int) -> list[Target]:
        found = self._both(depth)
        while self.peek() == "||":
            self._next()
            found += self._both(depth)
        return _bounded(found)

    def _both(self, depth: int) -> list[Target]:
        found = self._one(depth)
        while self.peek() == "&&":
            self._next()
            others = self._one(depth)
            found = _bounded([_joined(a, b) for a in found for b in others])
        return found

    def _one(self, depth: int) -> list[Target]:
        if depth > DEEPEST:
            raise RuleError("its brackets are nested too deeply")
        word = self._next()
        if word == "!":
            self._one(depth + 1)
            return [Target(other=("!",))]
        if word == "(":
            found = self.alternatives(depth + 1)
            self._expect(")")
            return found
        if not word.isalpha():
            raise RuleError(f"{word or 'its end'!r} was not expected")
        return [_target(word, self._arguments())]

    def _arguments(self) -> list[str]:
        self._expect("(")
        found: list[str] = []
        while (word := self._next()) != ")":
            if word[:1] in ("`", '"'):
                found.append(word[1:-1])
            elif word != ",":
                raise RuleError(f"{word or 'its end'!r} was not expected")
        return found

    def _expect(self, wanted: str) -> None:
        if (word := self._next()) != wanted:
            raise RuleError(f"{wanted} was expected instead of {word or 'its end'!r}")


def _target(name: str, arguments: list[str]) -> Target:
    if not arguments:
        raise RuleError(f"{name} has no argument")
    if name == "Host":
        return Target(hosts=tuple(arguments))
    return Target(prefixes=tuple(arguments)) if name == "PathPrefix" else Target(other=(name,))


def _joined(a: Target, b: Target) -> Target:
    """Both at once. Two lists of one kind are met by what is in both, which is more than hosts and prefixes say."""
    twice = [name for name, one, two in (("Host", a.hosts, b.hosts), ("PathPrefix", a.prefixes, b.prefixes)) if one and two]
    return Target(a.hosts or b.hosts, a.prefixes or b.prefixes, (*a.other, *b.other, *(f"{name} twice" for name in twice)))


def _bounded(found: list[Target]) -> list[Target]:
    if len(found) > MOST:
        raise RuleError("it has too many alternatives")
    return found

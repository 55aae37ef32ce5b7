"""The rules of a head: what we refuse and why, and what we let pass that an oracle does not. Each names its section.

STRICT is a second, slow reading of the specification: a head is accepted exactly where no rule is broken, with one of the rules' statuses
where some are. LENIENT repairs what an oracle is too narrow for: repaired, that oracle must read it as we do.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
TEXT = rb"[\t\x20-\x7e\x80-\xff]"
TARGET = rb"[!\x22\x24-\x7e]"
EMPTY_LINES, FIELDS, OPTIONS, DIGITS, METHOD = 4, 1024, 100, 18, 32


class Rule(NamedTuple):
    """section: of the RFC; statuses: what a request that breaks it may be answered with; broken: of a head's bytes."""

    section: str
    statuses: frozenset[int]
    broken: Callable[[bytes], object]


def values(head, name):
    """Every value of the fields of that name, in a loose reading: white space and controls around names too."""
    found = re.findall(rb"(?i)\n" + re.escape(name) + rb":([^\n]*)", head)
    return [value.strip(b" \t\r") for value in found]


def has(pattern):
    return lambda head: re.search(pattern, head)


def lacks(pattern):
    return lambda head: not re.match(pattern, head)


def bad_lengths(head):
    return [v for v in values(head, b"content-length") if not re.fullmatch(rb"0*[0-9]{1,%d}" % DIGITS, v)]


def elements(head, name):
    """Those of the list that all fields of the name are, in lower case, without the empty ones (RFC 9110, sections 5.3 and 5.6.1)."""
    found = (element.strip(b" \t") for value in values(head, name) for element in value.split(b","))
    return [element.lower() for element in found if element]


def endless(head):
    """Of codings: the last one is not chunked, or it is below another one."""
    codings = elements(head, b"transfer-encoding")
    return values(head, b"transfer-encoding") and (b"chunked" in codings[:-1] or codings[-1:] != [b"chunked"])


def unknown_codings(head):
    codings = elements(head, b"transfer-encoding")
    return len(codings) > 1 and codings.index(b"chunked") == len(codings) - 1 if b"chunked" in codings else False


def several(name):
    return lambda head: len(values(head, name)) > 1


def both(head):
    return values(head, b"content-length") and values(head, b"transfer-encoding")


def old_chunks(head):
    return re.match(rb"[^\n]*HTTP/1\.0", head) and values(head, b"transfer-encoding")


def hostless(head):
    return re.match(rb"[^\n]* HTTP/1\.[1-9]\r\n", head) and not values(head, b"host")


def too_many(head):
    return head.count(b"\n") - 2 > FIELDS or len(elements(head, b"connection")) > OPTIONS


LINE = rb"%s{1,%d} %s+ " % (TOKEN, METHOD, TARGET)


def rule(section, broken, *statuses):
    return Rule(section, frozenset(statuses or (400,)), broken)


COMMON = [
    rule("RFC 9112 2.2: a bare CR", has(rb"\r[^\n]")),
    rule("RFC 9112 5.1: a field line is a token, a colon and a value", has(rb"\n(?!\r?\n)(?!%s+:)[^\n]*\n" % TOKEN)),
    rule("RFC 9110 5.5: a control in a value", has(rb"\n[^\n]*[\0-\x08\x0b-\x0c\x0e-\x1f\x7f]")),
    rule("RFC 9110 8.6: a length is 1 to 18 digits", bad_lengths),
    rule("RFC 9110 8.6: one length", several(b"content-length")),
    rule("RFC 9112 6.3: chunked, once and at the end", endless),
    rule("RFC 9112 6.1: chunked alone", unknown_codings, 501),
    rule("RFC 9112 6.1: a length and a coding", both),
    rule("RFC 9112 6.1: a coding in HTTP/1.0", old_chunks),
    rule("RFC 6585 5: fields or options without end", too_many, 431),
]
REQUEST = [
    *COMMON,
    rule("RFC 9112 2.2: a bare LF, which ends no line of a request", has(rb"(?<!\r)\n")),
    rule("RFC 9112 2.2: an empty line before a request, not many", has(rb"^\r\n")),
    rule("RFC 9112 3: method, target and version, one space between", lacks(LINE + rb"HTTP/[0-9]\.[0-9]\r\n")),
    rule("RFC 9110 15.6.6: another version", has(rb"^" + LINE + rb"HTTP/(?!1)[0-9]\.[0-9]\r\n"), 505),
    rule("RFC 9112 3.2: Host in HTTP/1.1", hostless),
    rule("RFC 9112 3.2: one Host", several(b"host")),
]
RESPONSE = [
    Rule(r.section, frozenset([502]), r.broken)
    for r in [*COMMON, rule("RFC 9112 4: version, status and reason", lacks(rb"HTTP/1\.[0-9] [1-9][0-9]{2}(?: %s*)?\r?\n" % TEXT))]
    if "one Host" not in r.section
]
STRICT = {True: REQUEST, False: [*RESPONSE, Rule("RFC 9112 3.2: one Host", frozenset([502]), several(b"host"))]}


def extent(data):
    """The head in data, as far as anybody may think that it goes: the rules are not for the body."""
    before = re.match(rb"(?:\r?\n)*", data).end()
    found = re.compile(rb"(?s).*?\n\r?\n").match(data, before)
    return data[: found.end()] if found else data


def broken(data, *, request):
    """The rules that data breaks. As many empty lines as a request may have before it are none of it."""
    if request:
        data = re.sub(rb"^(?:\r\n){1,%d}" % EMPTY_LINES, b"", data)
    return [r for r in STRICT[request] if r.broken(data)]


class Repair(NamedTuple):
    """A peculiarity that an oracle refuses and we let pass."""

    section: str
    kind: bool | None  # of requests, of responses, of both
    pattern: bytes
    instead: bytes


LENIENT = [
    Repair("RFC 9112 2.2: an empty line before a request is passed over; h11 takes none", True, rb"^(?:\r\n)+", b""),
    Repair("RFC 9110 9.1: any token is a method; llhttp has a list of them", True, rb"^%s+ " % TOKEN, b"GET "),
    Repair("RFC 9112 3.2: a target is its origin's to judge; the oracles have narrower ideas", True, rb"^(\S+) %s+ " % TARGET, rb"\1 / "),
    Repair("RFC 9112 2.2: a bare LF ends a line of a response; llhttp takes none", False, rb"(?<!\r)\n", b"\r\n"),
    Repair("RFC 9110 5.6.1: empty elements are none; h11 takes no second field", None, rb"(?i)\r\ntransfer-encoding:[ \t,]*(?=\r\n)", b""),
    Repair(
        "RFC 9110 5.6.1: empty elements are none; the oracles want one coding",
        None,
        rb"(?i)(\ntransfer-encoding:)[ \t,]*chunked[ \t,]*(?=\r\n)",
        rb"\1chunked",
    ),
    Repair("RFC 9110 8.6: a length may begin with zeros; h11 counts them", None, rb"(?i)(\ncontent-length:[ \t]*)0+(?=[0-9])", rb"\1"),
    Repair("RFC 9110 2.5: HTTP/1.9 is read as HTTP/1.1", None, rb"^((?:[^\r\n]* )?)HTTP/1\.[2-9]", rb"\1HTTP/1.1"),
]


def repaired(data, *, request):
    """The head without the peculiarities of LENIENT."""
    for repair in LENIENT:
        if repair.kind in {None, request}:
            data = re.sub(repair.pattern, repair.instead, data)
    return data

"""Single values of settings: text → what it means, or ValueError saying what is wrong with it.

Pure functions. Each also takes its own result, since defaults and tests hand over values that are parsed already.
settings.py is their only user.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from haystack.model import spelling
from haystack.model.reports import Trace

Texts = tuple[str, ...]

MAX_PORT = 65535
DAY = 86400  # seconds
MAX_NAME = 200  # what is left of 253 octets must hold the names under the origin
LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_INJECTED = re.compile(r"(tcp|udp|sctp)://")
PRIVATE_KEY = b"PRIVATE KEY-----"  # RFC 7468, section 10, and what ssh-keygen makes
NOT_PUBLIC = "this is a private key: the public one is in the file beside it whose name ends in .pub"
_KEY = re.compile(r"(ssh-|ecdsa-|sk-|x509v3-)[A-Za-z0-9@.-]+ +AAAA")  # sshd(8): a type, then base64 of a length below 2^24


def items(value: object) -> Texts:
    """The parts of a list. Commas are between them, or semicolons or blanks, as people write them."""
    if isinstance(value, (tuple, list)):
        return tuple(str(part) for part in value)
    return spelling.parts(str(value))


def whole(low: int, high: int) -> Callable[[object], int]:
    """A parser of whole numbers from low to high."""

    def parse(value: object) -> int:
        written = str(value).strip()
        if not re.fullmatch(r"[0-9]{1,9}", written):
            raise ValueError("not a whole number")
        if not low <= int(written) <= high:
            raise ValueError("out of range")
        return int(written)

    return parse


def switch_or(word: str) -> Callable[[object], str]:
    """A parser of a switch that may be a word instead: `on`, `off`, or that word."""

    def parse(value: object) -> str:
        text = str(value).strip().lower()
        return text if text == word else "on" if switch(text) else "off"

    return parse


def tls_version(value: object) -> str:
    """The oldest version of TLS that clients may speak, as `1.2`, `TLS 1.2` or `TLSv1.2`."""
    return str(value).strip().lower().removeprefix("tls").lstrip("v ")


def count(high: int) -> Callable[[object], int]:
    """A parser of whole numbers from 0 to high; off is 0."""
    number = whole(0, high)

    def parse(value: object) -> int:
        return 0 if _is_off(str(value)) else number(value)

    return parse


workers = whole(1, 256)
_port = whole(0, MAX_PORT)


def port(value: object) -> int:
    """A port; 0: any free one."""
    if _INJECTED.match(str(value)):
        raise ValueError(
            "Docker's links and Kubernetes set this variable for a service of this name: rename that, or enableServiceLinks: false"
        )
    return _port(value)


def size(low: int, high: int) -> Callable[[object], int]:
    """A parser of bytes (``65536``, ``64k``, ``1MiB``) from low to high; where 0 is taken, so is off."""

    def parse(value: object) -> int:
        text = str(value)
        found = 0 if low == 0 and _is_off(text) else spelling.size(text)
        if not low <= found <= high:
            raise ValueError("out of range")
        return found

    return parse


def duration(low: float, high: float, *, off: bool = False) -> Callable[[object], float]:
    """A parser of durations (``10``, ``1.5s``, ``500ms``, ``1h30m``) from low to high seconds; off: 0 and off are taken too."""

    def parse(value: object) -> float:
        text = str(value)
        found = 0.0 if off and _is_off(text) else spelling.seconds(text)
        if not (low <= found <= high or (off and not found)):
            raise ValueError("out of range")
        return found

    return parse


def seconds(value: object) -> int:
    """Whole seconds, up to a day."""
    found = spelling.seconds(str(value))
    if found != int(found):
        raise ValueError("not a whole number of seconds")
    if found > DAY:
        raise ValueError("out of range")
    return int(found)


def _is_off(text: str) -> bool:
    return spelling.truth(text) is False


def switch(value: object) -> bool:
    """On or off, in the words that people use for it."""
    found = value if isinstance(value, bool) else spelling.truth(str(value))
    if found is None:
        raise ValueError("neither on nor off")
    return found


def lower(value: object) -> str:
    """The word in lower case."""
    return str(value).strip().lower()


def or_off(value: object) -> str:
    """The word in lower case; what people write for off is `off`."""
    return "off" if _is_off(str(value)) else lower(value)


def log_fields(value: object) -> Texts:
    """Fields of the access log, each once, in the order in which a line is to have them."""
    names = tuple(dict.fromkeys(part.lower().replace("-", "_") for part in items(value)))
    for name in names:
        if name not in Trace.__struct_fields__:
            right = spelling.nearest(name, Trace.__struct_fields__)
            raise ValueError(f"there is no field {name!r}" + (f", did you mean {right}?" if right else ""))
    return names


def expose(value: object) -> str:
    """The word in lower case, with either spelling of `labelled`."""
    return lower(value).replace("labeled", "labelled")


def level(value: object) -> str:
    """A log level by its usual name."""
    return spelling.level(str(value))


def keys(value: object) -> str:
    """The text of an authorized_keys file: with a key in it, whether it lets anybody in or not."""
    text = str(value)
    if _KEY.search(text):
        return text
    if text.lstrip().startswith(("/", "~", "./")):
        raise ValueError("this is a path, not a key: HAYSTACK_SSH_AUTHORIZED_KEYS_FILE takes a path")
    raise ValueError("there is no public key in it" if PRIVATE_KEY.decode() not in text else NOT_PUBLIC)


def keys_file(value: object) -> Path:
    """The path of an authorized_keys file."""
    if _KEY.search(str(value)):
        raise ValueError("this is a key, not a path: HAYSTACK_SSH_AUTHORIZED_KEYS takes the text")
    return path(value)


def path(value: object) -> Path:
    """A path; `~` is the user's home."""
    written = str(value)
    if "\0" in written:
        raise ValueError("holds a zero byte")
    return Path(written).expanduser()


def pem(value: object) -> str:
    r"""PEM text. A value that went through a file of variables has \n for its line ends: those are taken too."""
    written = str(value)
    if "\n" not in written.strip():
        written = written.replace("\\n", "\n")
    if "-----BEGIN " not in written:
        raise ValueError("not PEM text")
    return written


def origin(value: object) -> str:
    """A domain name, lower case, without trailing dot."""
    name = str(value).strip().lower().removesuffix(".")
    if len(name) > MAX_NAME:
        raise ValueError("too long")
    if not all(LABEL.fullmatch(label) for label in name.split(".")):
        raise ValueError("not a domain name")
    return name


def hosts(value: object) -> Texts:
    """Host names, lower case."""
    return tuple(origin(part) for part in items(value))

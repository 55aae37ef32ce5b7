"""`haystack healthcheck`: asks the Haystack that runs how it is, at its control socket, and ends with status 0 when all is well.

Needs no port, so that no setting makes it wrong; and imports little: an image's health check runs every few seconds beside who serves.
"""

from __future__ import annotations

import json
import os
import pwd
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO, TypedDict, cast

from haystack.handover import control_socket
from haystack.proxy import account

WELL, WRONG, BAD_USAGE = 0, 1, 2
PATIENCE = 2.5  # seconds; the image's health check waits for three
QUESTION = b'{"type":"Health"}'  # Health of handover/protocol.py
LARGEST = 65536
USAGE = "usage: haystack healthcheck [--state-dir FOLDER]: check the health of the running Haystack; status 0 if it is healthy"


class Report(TypedDict):
    """Report of handover/protocol.py."""

    wrong: list[str]
    well: str


class SilentError(Exception):
    """Nobody answers; the text is one line that says where, and why."""


def main(words: Sequence[str]) -> int:
    """Ask, tell, and give the status to exit with."""
    if words and words[0] in ("-h", "--help"):
        return _tell(WELL, USAGE)
    folder = os.environ.get("HAYSTACK_STATE_DIR", "")
    if words:
        name, _, text = words[0].partition("=")
        folder = text or " ".join(words[1:2])
        if name != "--state-dir" or not folder or len(words) > (1 if text else 2):
            return _tell(BAD_USAGE, f"haystack: {USAGE}", sys.stderr)
    try:
        report = first([Path(folder).expanduser()] if folder else [control_socket.USUAL, control_socket.user_state()])
    except SilentError as error:
        return _tell(WRONG, str(error))
    wrong = report["wrong"]
    return _tell(WRONG if wrong else WELL, "\n".join(wrong) or report["well"])


def _tell(status: int, text: str, stream: TextIO | None = None) -> int:
    print(text, file=stream or sys.stdout)
    return status


def first(folders: Sequence[Path]) -> Report:
    """What the first Haystack reports that runs with one of these state folders. Raises SilentError."""
    barred = strange = None
    for state, path in ((each, path) for each in folders for path in control_socket.places(each)):
        if not control_socket.is_believed(path, state, {*_own(), control_socket.owner(state)}):
            strange = strange or path
            continue
        try:
            return ask(path)
        except (FileNotFoundError, ConnectionRefusedError):
            continue
        except PermissionError:
            barred = barred or path
        except TimeoutError:
            raise SilentError(f"Haystack does not answer within {PATIENCE} s at {path}") from None
        except (OSError, ValueError) as error:
            raise SilentError(f"can't ask at {path}: {getattr(error, 'strerror', None) or error}") from error
    if barred:
        raise SilentError(control_socket.denied(barred))
    if strange:
        whose = control_socket.owner(strange.parent)
        how = f"ask as that one (in a container: docker exec --user {whose})"
        raise SilentError(f"what listens at {strange} belongs to user {whose}, who is not believed: {how}")
    paths = [control_socket.control(folder) for folder in folders]
    raise SilentError(f"no answer at {' or '.join(map(str, paths))}: no Haystack runs with that state folder, or it is still starting")


def _own() -> set[int]:
    """The user as whom Haystack goes on where it was started as root."""
    try:
        return {pwd.getpwnam(account.OWN).pw_uid}
    except KeyError:
        return set()


def ask(path: Path) -> Report:
    """What the Haystack at this control socket reports. Raises OSError, and ValueError: it is none, or of a version that can't tell."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as peer:
        peer.settimeout(PATIENCE)
        peer.connect(str(path))
        peer.send(QUESTION)
        answer = peer.recv(LARGEST)
    if not answer:
        raise ValueError("it closed the connection, as older versions do")
    report = json.loads(answer)
    if not isinstance(report, dict) or report.get("type") != "Report":
        raise ValueError("it does not support health checks")
    return cast("Report", report)

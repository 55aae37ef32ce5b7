"""What is kept of an authority in the state folder: account, certificates with their keys, orders under way, what has failed.

Each file is written whole, mode 0600. All of it blocks, and is called in a thread. Never decides anything; what can't be read is told.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec

from haystack.tls import private_file
from haystack.tls.acme.account import Kept
from haystack.tls.acme.history import History

MOST = 1 << 20  # bytes of a file
T = TypeVar("T")


class FolderError(Exception):
    """Something can't be read or written. str() is one line: which file, and why."""


class DamagedError(FolderError):
    """A file that is there can't be used."""


class Pending(msgspec.Struct, frozen=True):
    """An order under way. url: empty until it is placed, by this account; key: of the certificate, PEM."""

    names: tuple[str, ...]
    key: str
    url: str = ""
    placed: float = 0.0
    account: str = ""

    def __repr__(self) -> str:
        """Without the key."""
        return f"Pending(names={self.names!r}, url={self.url!r})"


class Found(NamedTuple):
    """By key: new: PEM of what is other than known; seen: time and size of all that can be read; unread: why others can't be."""

    new: dict[str, bytes]
    seen: dict[str, tuple[int, int]]
    unread: dict[str, str]


def place(state: Path, url: str) -> Path:
    """The folder of the authority with this directory."""
    host = re.sub(r"[^a-z0-9.-]", "-", url.partition("://")[2].partition("/")[0].lower())
    return state / "acme" / f"{host}-{hashlib.sha256(url.encode()).hexdigest()[:8]}"


class Folder:
    """That of one authority."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def account(self) -> Kept | None:
        """The account; None: there is none. Raises FolderError."""
        return self._read(self.path / "account.json", lambda data: msgspec.json.decode(data, type=Kept))

    def keep_account(self, kept: Kept) -> None:
        """Raises FolderError."""
        self._write(self.path / "account.json", msgspec.json.encode(kept))

    def history(self) -> History | None:
        """What has failed; None: nothing is known of that. Raises FolderError."""
        return self._read(self.path / "history.json", lambda data: msgspec.json.decode(data, type=History))

    def keep_history(self, data: bytes) -> None:
        """data: the history as JSON. Raises FolderError."""
        self._write(self.path / "history.json", data)

    def pending(self, key: str) -> Pending | None:
        """The order under way for the certificate of this key. Raises FolderError."""
        return self._read(self._order(key), lambda data: msgspec.json.decode(data, type=Pending))

    def keep_pending(self, key: str, pending: Pending) -> None:
        """Raises FolderError."""
        self._write(self._order(key), msgspec.json.encode(pending))

    def drop_pending(self, key: str) -> None:
        """It has come to an end. One that can't be removed is harmless: its order has ended."""
        self._remove(self._order(key))

    def certificates(self, known: dict[str, tuple[int, int]]) -> Found:
        """What there is beside what is known. Raises FolderError where none can be looked at."""
        folder, found = self.path / "certificates", Found({}, {}, {})
        try:
            paths = sorted(path for path in folder.iterdir() if path.suffix == ".pem")
        except FileNotFoundError:
            return found
        except OSError as error:
            raise _told(folder, error) from None
        for path in paths:
            try:
                stat = path.stat()
                state = stat.st_mtime_ns, stat.st_size
                if known.get(path.stem) != state:
                    found.new[path.stem] = self._bytes(path)
                found.seen[path.stem] = state
            except OSError as error:
                if not isinstance(error, FileNotFoundError) or path.is_symlink():  # else it has just gone
                    found.unread[path.stem] = error.strerror or str(error)
        return found

    def keep_certificate(self, key: str, pem: bytes) -> None:
        """Chain and key in one file: they are of the same certificate at any moment. Raises FolderError."""
        self._write(self.path / "certificates" / f"{key}.pem", pem)

    def drop_certificate(self, key: str) -> None:
        """Nobody needs it any more."""
        self._remove(self.path / "certificates" / f"{key}.pem")

    def _order(self, key: str) -> Path:
        return self.path / "orders" / f"{key}.json"

    def _remove(self, path: Path) -> None:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise _told(path, error) from None

    def _read(self, path: Path, decode: Callable[[bytes], T]) -> T | None:
        try:
            return decode(self._bytes(path))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _told(path, error) from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise DamagedError(f"{path} is damaged: {error}") from None

    def _bytes(self, path: Path) -> bytes:
        with path.open("rb") as file:
            return file.read(MOST)

    def _write(self, path: Path, data: bytes) -> None:
        try:
            private_file.write(path, data)
        except OSError as error:
            raise _told(path, error) from None


def _told(path: Path, error: OSError) -> FolderError:
    return FolderError(f"{path}: {error.strerror or error}")

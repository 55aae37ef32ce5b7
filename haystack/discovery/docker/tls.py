"""Certificates for engines behind TLS: from PEM text in variables or from a folder, to files that `requests` can use.

PEM text is kept in a private folder (0700) as long as it is needed, and removed. Never does: connecting, logging
a key. The docker provider opens one Certificates for its lifetime.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any, Protocol, Self

from haystack.model.records import Record

PLAIN_PORT = ":2375"
NAMES = ("ca.pem", "cert.pem", "key.pem")


class TlsError(Exception):
    """The TLS settings can't be used; the text is one line that says which and why."""


class TunnelError(Exception):
    """There is no way to the engine over SSH; the text is one line that says why and, where known, what to do."""


class TlsSettings(Protocol):
    """The part of Settings that is read here: each text, path, secret or None."""

    @property
    def docker_tls_verify(self) -> Any:
        """DOCKER_TLS_VERIFY."""

    @property
    def docker_cert_path(self) -> Any:
        """DOCKER_CERT_PATH."""

    @property
    def docker_cert(self) -> Any:
        """DOCKER_CERT."""

    @property
    def docker_key(self) -> Any:
        """DOCKER_KEY."""

    @property
    def docker_ca(self) -> Any:
        """DOCKER_CA."""


class TlsOptions(Record, frozen=True, kw_only=True):
    """What the settings say: PEM texts, or a folder of them, and whether TLS is a must."""

    verify: bool = False
    path: str = ""
    cert: str = ""
    key: str = ""
    ca: str = ""

    @classmethod
    def of(cls, settings: TlsSettings) -> TlsOptions:
        """The options in `settings`; secrets may be pydantic's SecretStr."""
        return cls(
            verify=bool(settings.docker_tls_verify),
            path=_plain(settings.docker_cert_path),
            cert=_plain(settings.docker_cert),
            key=_plain(settings.docker_key),
            ca=_plain(settings.docker_ca),
        )

    def wanted(self, host: str) -> bool:
        """Whether the engine at `host` is to be spoken to over TLS."""
        if host.startswith("https://"):
            return True
        given = bool(self.path or self.cert or self.key or self.ca)
        return host.startswith("tcp://") and (self.verify or (given and not host.rstrip("/").endswith(PLAIN_PORT)))


def _plain(value: object) -> str:
    """The text of a setting that may be None, a path or a secret."""
    secret = getattr(value, "get_secret_value", None)
    return str(secret() if secret else value or "")


class Certificates:
    """Paths of the CA's and the client's certificate and key; None where not given. A context manager."""

    def __init__(self, options: TlsOptions) -> None:
        self.ca: str | None = None
        self.client: tuple[str, str] | None = None
        self._options = options
        self._folder: Path | None = None

    def __enter__(self) -> Self:
        """Raises TlsError with nothing left behind."""
        try:
            self._open()
        except OSError as error:
            self.close()
            raise TlsError(f"TLS material can't be stored: {error}") from error
        except TlsError:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove the private folder."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _open(self) -> None:
        ca = self._file("ca", self._options.ca, "DOCKER_CA")
        cert = self._file("cert", self._options.cert, "DOCKER_CERT")
        key = self._file("key", self._options.key, "DOCKER_KEY")
        if (cert is None) != (key is None):
            have, miss = ("DOCKER_CERT", "DOCKER_KEY") if cert else ("DOCKER_KEY", "DOCKER_CERT")
            raise TlsError(f"{have} is given without {miss}: a client certificate needs both")
        self.ca = ca
        self.client = (cert, key) if cert and key else None

    def _file(self, name: str, pem: str, variable: str) -> str | None:
        """The path of `name`.pem: made of PEM text, else in the folder DOCKER_CERT_PATH."""
        if pem:
            if "-----BEGIN " not in pem:
                raise TlsError(f"{variable} is not PEM text (-----BEGIN …): for files set DOCKER_CERT_PATH")
            return self._stored(name, pem)
        if not self._options.path:
            return None
        folder = Path(self._options.path)
        if not folder.is_dir():
            raise TlsError(f"DOCKER_CERT_PATH={folder} is not a folder")
        path = folder / f"{name}.pem"
        return str(path) if path.is_file() else None

    def _stored(self, name: str, pem: str) -> str:
        """Write PEM text where only this user can read it. An environment file may spell its line ends out."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="haystack-tls-"))  # made with mode 0700
        path = self._folder / f"{name}.pem"
        path.touch(mode=0o600)
        lines = pem if "\n" in pem.strip() else pem.replace("\\n", "\n")
        path.write_text(lines.strip() + "\n", encoding="ascii", errors="replace")
        return str(path)

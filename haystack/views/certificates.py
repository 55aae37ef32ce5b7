"""Certificates as the web side and the shell show them: names, issuer, times, source, what went wrong. Never a key."""

from __future__ import annotations

from collections.abc import Iterator
from operator import itemgetter

from haystack.tls.store import Certificates, Entry
from haystack.views.answers import CertificateAnswer


def entries(picture: Certificates) -> list[tuple[tuple[str, str], Entry]]:
    """All of them by source and key, in that order."""
    return sorted(picture.entries.items(), key=itemgetter(0))


def shapes(picture: Certificates) -> Iterator[CertificateAnswer]:
    """One object each."""
    return (shape(entry) for _, entry in entries(picture))


def shape(entry: Entry) -> CertificateAnswer:
    """One of them; a name that has none yet stands alone, with why. Times are Unix seconds, null where there is none."""
    one = entry.certificate
    return {
        "names": list(entry.names),
        "issuer": one.issuer if one is not None else None,
        "not_before": one.not_before if one is not None else None,
        "not_after": one.not_after if one is not None else None,
        "source": entry.source,
        "next_renewal": entry.renewal or None,
        "last_error": entry.error or None,
        "key_type": one.kind if one is not None else None,
        "serial": one.serial if one is not None else None,
        "fingerprint": one.fingerprint if one is not None else None,
    }

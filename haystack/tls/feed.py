"""From pictures of the store to what workers are told: all of it at their start, then only what has changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from haystack.tls.certificate import Certificate
from haystack.tls.messages import PART, Pair, TlsPart
from haystack.tls.store import Certificates

NOTHING = Certificates()
PROOF = "proof-"  # begins the ids of those for challenges: the same certificate may be shown to everybody, too


class Feed:
    """tell: sends a message to every worker."""

    def __init__(self, tell: Callable[[TlsPart], None]) -> None:
        self._tell = tell
        self._told = NOTHING

    def follow(self, picture: Certificates) -> None:
        """Tell what is other than it was."""
        before, self._told = self._told, picture
        for part in parts(before, picture):
            self._tell(part)

    def welcome(self) -> Iterator[TlsPart]:
        """All that there is, for a worker that begins."""
        return parts(NOTHING, self._told)


def parts(before: Certificates, now: Certificates) -> Iterator[TlsPart]:
    """The change as messages: certificates first, then in one go which of them is for what."""
    had, has = used(before), used(now)
    new = [Pair(key, each.names, each.chain, each.key, key.startswith(PROOF)) for key, each in has.items() if key not in had]
    for at in range(0, len(new) - PART, PART):
        yield TlsPart(tuple(new[at : at + PART]), default=_id(before.default), challenges=_challenges(before))
    last = new[-(-max(0, len(new) - PART) // PART) * PART :]
    yield TlsPart(
        pairs=tuple(last),
        names=tuple((name, _id(each)) for name, each in now.names.items() if before.names.get(name) is not each),
        gone=tuple(name for name in before.names if name not in now.names),
        dropped=tuple(key for key in had if key not in has),
        default=_id(now.default),
        challenges=_challenges(now),
    )


def used(picture: Certificates) -> dict[str, Certificate]:
    """Those that clients may be shown, by their ids."""
    default = () if picture.default is None else (picture.default,)
    shown = {_id(each): each for each in (*picture.names.values(), *default)}
    return shown | {PROOF + _id(each): each for each in picture.challenges.values()}


def _id(certificate: Certificate | None) -> str:
    """Of the certificate with its chain: the same leaf may come with another one."""
    return "" if certificate is None else f"{certificate.fingerprint}{hash(certificate.chain) & 0xFFFFFFFF:x}"


def _challenges(picture: Certificates) -> tuple[tuple[str, str], ...]:
    return tuple((name, PROOF + _id(each)) for name, each in picture.challenges.items())

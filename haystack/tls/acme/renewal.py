"""When a certificate is renewed, and when what has failed is tried again. Pure.

By what the authority suggests (RFC 9773), else when a fraction of the lifetime is left. Chance spreads what many would do at the same
moment; it is drawn from the certificate itself, so a restart does not draw again.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

DAY = 86400.0
LONG = 10 * DAY  # a lifetime for which a third is time enough for a person to see what is wrong
LEFT_OF_LONG, LEFT_OF_SHORT = 1 / 3, 1 / 2  # of the lifetime, when it is renewed
JITTER = 0.05  # of the lifetime
YOUNG = 1 / 8  # of the lifetime, a day at most: whatever is suggested, what is younger is not renewed, or it would go on for ever
LONGEST = 7 * DAY  # seconds to wait, whatever an authority says
LEAST_LOOK, USUAL_LOOK, MOST_LOOK = 60.0, 6 * 3600.0, DAY  # seconds between two questions for suggestions (RFC 9773, section 4.3.2)


@dataclass(frozen=True, slots=True)
class Pace:
    """How waiting grows. first: seconds after the first failure; growth: by which each further one waits longer; most: seconds.

    jitter: the part of it that is chance.
    """

    first: float
    growth: float
    most: float
    jitter: float = 0.2

    def wait(self, failures: int, chance: float) -> float:
        """Seconds after so many failures in a row. chance: from 0.0 to 1.0."""
        grown = self.first
        for _ in range(failures - 1):
            if grown >= self.most:
                break
            grown *= self.growth
        return min(self.most, grown) * (1 + self.jitter * (2 * chance - 1))


# Let's Encrypt lets a name fail five times an hour: the third failure comes 40 minutes after the first.
OF_NAMES = Pace(first=600.0, growth=3.0, most=DAY)
OF_AUTHORITY = Pace(first=30.0, growth=2.0, most=3600.0)  # which did not answer
OF_LOOKS = Pace(first=60.0, growth=2.0, most=3600.0)  # at names that do not lead here: nobody but DNS is asked
NEVER_BEFORE = 3 * DAY  # seconds: what is about to expire is tried again sooner than the pace has it
URGENT = 6 * 3600.0


def drawn(text: str) -> float:
    """Chance from 0.0 to 1.0, the same for the same text."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big") / (1 << 56)


def in_time(again: float, now: float, longest: float = LONGEST) -> float:
    """When something is done again; 0.0 where that is further away than anybody waits: a clock that was ahead then has been set back."""
    return again if again <= now + longest else 0.0


def due(fingerprint: str, not_before: float, not_after: float, window: tuple[float, float] | None = None) -> float:
    """When this certificate is to be renewed: Unix seconds. window: start and end of what the authority suggests."""
    chance = drawn(fingerprint)
    lifetime = max(0.0, not_after - not_before)
    if window is not None and window[0] < window[1]:
        return max(window[0] + chance * (window[1] - window[0]), not_before + min(DAY, lifetime * YOUNG))
    left = LEFT_OF_LONG if lifetime > LONG else LEFT_OF_SHORT
    return not_after - lifetime * (left + chance * JITTER)


def again(failures: int, chance: float, expires: float, now: float, retry_after: float = 0.0) -> float:
    """When what has failed is tried again: Unix seconds. expires: of the certificate that it is to renew, 0.0: there is none."""
    wait = OF_NAMES.wait(failures, chance)
    if now < expires < now + NEVER_BEFORE:
        wait = min(wait, URGENT * (0.5 + chance / 2))
    return now + max(wait, retry_after)

"""Whether one endpoint fails more often than the others of its service, or has only been asked for more of what fails everywhere. Pure.

If failures were the requests' fault, who got those requests would be chance, and so would be how many of them one endpoint got: as many as
one draws blindly from all the service's exchanges of that time (Fisher's exact test, one-sided). Only where chance does not explain what it
got is it the endpoint's fault. So it does not matter how often requests fail, nor whether they fail in bursts.
"""

from __future__ import annotations

from math import exp, lgamma

LEVEL = 1e-6  # chance that is too small to believe in: an endpoint is looked at ten times a second, for years
FEWER = 2  # by how much less often the others have to fail, too: a small difference may be certain, and is no reason
NEGLIGIBLE = 1e-9  # of a sum


def stands_out(own: tuple[int, int], others: tuple[int, int]) -> bool:
    """Whether it fails by its own fault. Each: exchanges, and failures among them, of the same time."""
    (ended, faulty), (theirs, theirs_faulty) = own, others
    if not (0 < faulty <= ended and 0 <= theirs_faulty <= theirs):  # none of its own, or counts that can't be: they say nothing
        return False
    if theirs_faulty * FEWER * ended > faulty * theirs:
        return False
    return by_chance(ended, faulty, theirs, theirs_faulty) <= LEVEL


def by_chance(ended: int, faulty: int, theirs: int, theirs_faulty: int) -> float:
    """How probable it is that so many of all failures fall to it, or more, were they dealt out blindly."""
    failures = faulty + theirs_faulty
    term = exp(_log_choose(ended, faulty) + _log_choose(theirs, theirs_faulty) - _log_choose(ended + theirs, failures))
    total = term
    for more in range(faulty, min(ended, failures)):  # the terms fall off at once: it has more than its part
        left = failures - more
        term *= (ended - more) * left / ((more + 1) * (theirs - left + 1))
        total += term
        if term <= total * NEGLIGIBLE:  # also where both are too small for a float
            break
    return min(1.0, total)


def _log_choose(many: int, few: int) -> float:
    return lgamma(many + 1) - lgamma(few + 1) - lgamma(many - few + 1)

"""Haystack's own host first: which share of a service's requests goes to endpoints on other hosts. Pure, and the same for every algorithm.

As the priorities of Envoy's load balancing. Endpoints of weight 0 are asked where no other has room or is left, so a service that is full,
or fails, on its own host spills over request by request, and the data plane needs to know nothing of hosts.
"""

from __future__ import annotations

from collections.abc import Sequence

from haystack.model.services import Cause, Endpoint

SPARE = 1.4  # what its own host may lose of a service before others help out, over 1: a bit less than a third (Envoy's overprovisioning)
FIT = (Cause.WELL, Cause.STARTING)  # who is in with any other cause is so for want of a better one: it can take nothing for sure
LEAVING = (Cause.STOPPING, Cause.GONE, Cause.DRAINED, Cause.WAITING)  # out as somebody wished, or not there yet: nothing is lost by that


def weight_of(endpoint: Endpoint) -> int:
    """Its weight now; one that starts slowly has a part of it."""
    return max(1, round(endpoint.weight * endpoint.share)) if endpoint.weight else 0


def weights(endpoints: Sequence[Endpoint]) -> list[int]:
    """The weight of each of these, of which those that are ready count. They are all that one listener may choose from."""
    plain = [weight_of(e) for e in endpoints]
    ready = [(e, weight) for e, weight in zip(endpoints, plain, strict=True) if e.ready]
    here, away = (sum(weight for e, weight in ready if e.remote is remote) for remote in (False, True))
    if not here or not away:
        return plain
    share = health(endpoints, sum(weight for e, weight in ready if not e.remote and e.cause in FIT))
    if not share:
        return plain
    factor = here * (1 - share) / (share * away)
    return [_less(weight, factor) if e.remote else weight for e, weight in zip(endpoints, plain, strict=True)]


def health(endpoints: Sequence[Endpoint], here: int) -> float:
    """Which part of the requests its own host can take, up to 1.0. here: the weight of those that are ready and well there."""
    whole = sum(e.weight for e in endpoints if not e.remote and (e.ready or e.cause not in LEAVING))
    return min(1.0, SPARE * here / whole)


def _less(weight: int, factor: float) -> int:
    return max(1, round(weight * factor)) if weight and factor else 0

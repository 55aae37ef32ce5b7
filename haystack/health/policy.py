"""Whether an endpoint may be chosen, and why: the one place that decides in or out.

Pure. Never does: probing, counting, remembering. Stands inside snapshot.build, which asks it for the members of a
service that could stand in for one another.
"""

from __future__ import annotations

from haystack.model import Container, Record

HEALTHY = ("healthy", "none", "")


class Verdict(Record, frozen=True, kw_only=True):
    """ready: may be chosen now; reason: why it may or may not, for people."""

    ready: bool
    reason: str


def running(container: Container) -> bool:
    """True when the container's state alone lets it in."""
    return container.state == "running"


def well(container: Container) -> bool:
    """True when it runs and Docker's health check, if it has one, is content."""
    return running(container) and container.health in HEALTHY


def judge(container: Container, others_well: bool) -> Verdict:
    """In or out.

    others_well: another endpoint of the same service and listener is well. Only then does bad health keep this one out:
    a request that may fail is better than one that is refused for certain.
    """
    if not running(container):
        return Verdict(ready=False, reason=container.state_reason or container.state or "not running")
    if container.health in HEALTHY:
        return Verdict(ready=True, reason="running")
    if others_well:
        return Verdict(ready=False, reason=f"health {container.health}")
    return Verdict(ready=True, reason=f"running, health {container.health}, but no other is healthy")

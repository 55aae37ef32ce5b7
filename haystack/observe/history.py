"""What is kept of the past, all of it bounded: what happened, how exchanges went wrong, and who was in which service."""

from __future__ import annotations

from dataclasses import dataclass, field

from haystack.observe.journal import Journal
from haystack.observe.membership_history import MembershipHistory
from haystack.observe.outcomes import Outcomes


@dataclass(frozen=True, slots=True)
class Past:
    """The three rings."""

    journal: Journal = field(default_factory=Journal)
    outcomes: Outcomes = field(default_factory=Outcomes)
    attendance: MembershipHistory = field(default_factory=MembershipHistory)

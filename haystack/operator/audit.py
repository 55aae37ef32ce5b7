"""Who changed what: one line of the log, and one entry of the journal, for each change and each end. Decides nothing."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from haystack.model.overrides import Overrides, Scope, Target, moment
from haystack.model.services import Override
from haystack.model.snapshot import Snapshot
from haystack.observe.journal import Note
from haystack.operator import targets

log = structlog.get_logger("haystack.operator")


class Audit:
    """note: the journal's; snapshot: the newest, which knows the services that a change concerns."""

    def __init__(self, note: Note, snapshot: Callable[[], Snapshot]) -> None:
        self._note = note
        self._snapshot = snapshot

    def drained(self, made: Override) -> None:
        """It gets no new request."""
        log.info("operator.drained", **_about(made), **_how(made))
        self._tell("operator.drained", made, f"{'in maintenance' if made.scope == Scope.SERVICE.value else 'drained'}{_why(made)}", made.by)

    def weighted(self, made: Override) -> None:
        """It has another weight than its label's."""
        log.info("operator.weighted", **_about(made), weight=made.weight, **_how(made))
        self._tell("operator.weighted", made, f"has weight {made.weight}{_why(made)}", made.by)

    def undone(self, was: Override, by: str, fingerprint: str) -> None:
        """A drain or weight was undone."""
        log.info("operator.undone", **_about(was), kind=was.kind, by=by, fingerprint=fingerprint, of=was.by)
        self._tell("operator.undone", was, f"{was.kind} of {was.by} was undone", by or fingerprint)

    def expired(self, was: Override) -> None:
        """The time of one is up."""
        log.info("operator.expired", **_about(was), kind=was.kind, by=was.by)
        self._tell("operator.expired", was, f"the time of its {was.kind} is up{_why(was)}", was.by)

    def dropped(self, was: Override) -> None:
        """What one was about has been gone for long."""
        log.info("operator.dropped", **_about(was), kind=was.kind, by=was.by, reason="it has been gone for long")
        self._tell("operator.dropped", was, f"{was.kind} is forgotten: it has been gone for long", was.by)

    def restored(self, held: Overrides) -> None:
        """These hold again after a restart or replacement."""
        log.info("operator.restored", count=len(held), drains=len(held.drains), weights=len(held.weights))
        self._note("operator.restored", "Haystack", f"{len(held.drains)} drains and {len(held.weights)} weights hold again")

    def _tell(self, kind: str, what: Override, text: str, by: str) -> None:
        target = Target(scope=Scope(what.scope), id=what.target, name=what.name, container=what.container)
        services = [service.name for service in targets.services(self._snapshot(), target)]
        self._note(kind, what.name, text, services, by, identity=what.container[:12])


def _about(override: Override) -> dict[str, str]:
    return {"name": override.name, "scope": override.scope, "target": override.target}


def _how(made: Override) -> dict[str, object]:
    until = moment(made.until) if made.until else ""
    return {"by": made.by, "fingerprint": made.fingerprint, "why": made.why, "until": until, "kept": made.kept}


def _why(made: Override) -> str:
    why = f": {made.why}" if made.why else ""
    return f"{why}, until {moment(made.until)}" if made.until else why

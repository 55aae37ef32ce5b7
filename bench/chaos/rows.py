"""The rows of the chaos table: what happens, to how many containers of what kind, and what may be asked meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from bench.chaos import events
from bench.chaos.events import Deed, Scene

HEALTHCHECK = {"test": ["CMD-SHELL", "test ! -e /sick"], "interval": 500_000_000, "timeout": 2_000_000_000, "retries": 1}
TURNED = 3.0
OWN = {"GET": "python", "POST": "python"}


@dataclass(frozen=True)
class Row:
    """One line.

    kinds: of the containers, by method. options: of the containers. grace: seconds after each deed in which requests may
    fail. alone: no other proxy has it. node: with an engine of its own; live: its containers outlive it. settings: of Haystack. protocols:
    by which clients may ask meanwhile.
    """

    name: str
    title: str
    act: Callable[[Scene], None]
    members: int = 4
    kinds: dict[str, str] = field(default_factory=lambda: {"GET": "nginx", "POST": "python"})
    options: dict[str, Any] = field(default_factory=dict)
    grace: float = 0.0
    alone: bool = False
    node: bool = False
    live: bool = True
    settings: dict[str, str] = field(default_factory=dict)
    protocols: tuple[str, ...] = ("http", "https", "h2", "passthrough")

    def by(self, protocol: str) -> Row:
        """The same for these clients: where TLS is passed through, containers have to end it."""
        return replace(self, kinds=OWN) if protocol == "passthrough" else self


def each(deed: Deed) -> Callable[[Scene], None]:
    """The deed, to one container after another."""
    return lambda scene: scene.each(deed)


def turning(manner: str) -> Callable[[Scene], None]:
    """One origin after another behaves so for a while."""
    return each(events.turned(manner, TURNED))


SEALED = ("https", "h2")
AGAIN = {"restart_policy": {"Name": "always"}}
ROWS = (
    Row("stop", "`docker stop`, started again", each(events.stop)),
    Row("kill", "`docker kill` (SIGKILL), started again", each(events.kill)),
    Row("pause", "`docker pause` for 2 s, unpause", each(events.pause)),
    Row("restart", "`docker restart`", each(events.restart)),
    Row("redeploy", "a redeploy: as many new containers, the old ones stopped", events.redeploy),
    Row("only", "the only container of a service restarted", each(events.restart), members=1),
    Row("sick", "an endpoint turns unhealthy", turning("sick"), kinds=OWN, options={"healthcheck": HEALTHCHECK}, grace=1.0),
    Row("failing", "an endpoint answers 500", turning("failing"), kinds=OWN, grace=1.0),
    Row("silent", "an endpoint accepts and never answers", turning("silent"), kinds=OWN, grace=1.0),
    Row("resetting", "an endpoint resets", turning("resetting"), kinds=OWN, grace=1.0),
    Row("engine", "the engine restarted, with live-restore", events.engine_restarted, node=True),
    Row("engine-plain", "the engine restarted, its containers with it", events.engine_restarted, node=True, live=False, options=AGAIN),
    Row("worker", "a worker killed", events.worker_killed, alone=True, settings={"HAYSTACK_WORKERS": "2"}),
    Row("certificate", "another certificate", events.certificate_swapped, alone=True, protocols=SEALED),
    Row("replace", "`haystack run --replace`", events.replaced, alone=True, settings={"HAYSTACK_WORKERS": "2"}),
)


def row(name: str) -> Row:
    """The row of that name. Raises KeyError."""
    return {one.name: one for one in ROWS}[name]

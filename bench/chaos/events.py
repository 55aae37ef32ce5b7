"""What happens to the containers meanwhile, one after another. Each is a function of the fleet and the proxy before it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import docker.errors
from docker.models.containers import Container

from bench.chaos.fleet import Fleet
from bench.chaos.node import Node
from bench.chaos.sealing import Sealing
from bench.macro.process import Haystack, Process

LIMIT = 20.0
FREEZES = 3
Deed = Callable[["Scene", Container], None]


@dataclass
class Scene:
    """Where it happens.

    pace: seconds that each container has to itself afterwards. victims: to how many of them it happens (None: all). end: when time
    is up, by the monotonic clock. engine: theirs, where it may be restarted. sealing: where there is TLS. told: what was done, and when in
    Unix seconds.
    """

    fleet: Fleet
    proxy: Process
    pace: float
    victims: int | None = None
    end: float = 0.0
    engine: Node | None = None
    sealing: Sealing | None = None
    told: list[tuple[float, str]] = field(default_factory=list)
    again: bool = False

    def play(self, act: Callable[[Scene], None]) -> None:
        """All of it once; then again and again, until time is up."""
        self.rest()
        act(self)
        self.again = True
        while not self.over():
            act(self)

    def over(self) -> bool:
        """Whether everything has been once, and time is up."""
        return self.again and time.monotonic() >= self.end

    def tell(self, text: str) -> None:
        """Write down what is done now."""
        self.told.append((time.time(), text))

    def rest(self) -> None:
        """Nothing for a while."""
        time.sleep(self.pace)

    def each(self, deed: Deed) -> None:
        """Do it to one member after another."""
        for container in self.fleet.members[: self.victims]:
            if self.over():
                return
            deed(self, container)
            self.tell(f"{container.name} is back")
            self.rest()


def stop(scene: Scene, container: Container) -> None:
    """`docker stop`, `docker start`."""
    scene.tell(f"stop {container.name}")
    container.stop(timeout=10)
    again(scene, container)


def kill(scene: Scene, container: Container) -> None:
    """`docker kill`, `docker start`."""
    scene.tell(f"kill {container.name}")
    container.kill()
    container.wait()
    again(scene, container)


def again(scene: Scene, container: Container) -> None:
    """`docker start` once it has ended."""
    scene.rest()
    scene.tell(f"start {container.name}")
    container.start()
    scene.fleet.serving(container)


def pause(scene: Scene, container: Container) -> None:
    """`docker pause` for 2 s."""
    scene.tell(f"pause {container.name}")
    for left in reversed(range(FREEZES)):
        try:
            container.pause()
            break
        except docker.errors.APIError:  # the engine gives up when the freezer is slow, as it is on a busy machine
            if not left:
                raise
    time.sleep(2)
    scene.tell(f"unpause {container.name}")
    container.unpause()


def restart(scene: Scene, container: Container) -> None:
    """`docker restart`."""
    scene.tell(f"restart {container.name}")
    container.restart(timeout=10)
    scene.fleet.serving(container)


def redeploy(scene: Scene) -> None:
    """As many new containers as there are, then the old ones are stopped."""
    old = scene.fleet.members[: scene.victims]
    scene.tell("new containers")
    scene.fleet.grow(len(old))
    scene.rest()
    for container in old:
        scene.tell(f"stop {container.name}")
        container.stop(timeout=10)
        scene.fleet.retire(container)
        scene.rest()


def turned(manner: str, seconds: float) -> Deed:
    """An origin behaves so for a while, and well again."""

    def deed(scene: Scene, container: Container) -> None:
        scene.tell(f"{container.name} turns {manner}")
        scene.fleet.turn(container, manner)
        time.sleep(seconds)
        scene.tell(f"{container.name} turns good")
        scene.fleet.turn(container, "good")

    return deed


def replaced(scene: Scene) -> None:
    """`haystack run --replace`."""
    if not isinstance(scene.proxy, Haystack):
        raise TypeError(f"{scene.proxy.name} has no way to be replaced")
    scene.tell("run --replace")
    scene.proxy.replace()
    scene.tell("the old one has ended")
    scene.rest()


def certificate_swapped(scene: Scene) -> None:
    """Another certificate, until new connections are shown it."""
    if scene.sealing is None:
        raise TypeError("there is no certificate")
    before = scene.sealing.shown(scene.proxy.secure, scene.fleet.host)
    scene.tell("another certificate")
    scene.sealing.renew()
    end = time.monotonic() + LIMIT
    while scene.sealing.shown(scene.proxy.secure, scene.fleet.host) == before:
        if time.monotonic() > end:
            raise TimeoutError("the new certificate is never shown")
        time.sleep(0.02)
    scene.tell("it is shown")
    scene.rest()


def engine_restarted(scene: Scene) -> None:
    """The engine is restarted; its containers live on, or it starts them again."""
    if scene.engine is None:
        raise TypeError("this engine is not ours to restart")
    scene.tell("the engine is restarted")
    scene.engine.restart()
    scene.tell("the engine is back")
    for container in scene.fleet.members:
        scene.fleet.serving(container)
    scene.tell("its containers are back")
    scene.rest()


def worker_killed(scene: Scene) -> None:
    """SIGKILL for a worker of the proxy; the next one only when another has taken its place."""
    workers = scene.proxy.groups()["worker"]
    scene.tell(f"kill worker {workers[0]}")
    os.kill(workers[0], signal.SIGKILL)
    end = time.monotonic() + LIMIT
    while len(now := scene.proxy.groups()["worker"]) < len(workers) or workers[0] in now:
        if time.monotonic() > end:
            raise TimeoutError("no other worker took its place")
        time.sleep(0.05)
    scene.tell("there is another worker")
    scene.rest()

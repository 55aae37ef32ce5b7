"""What happens to the containers meanwhile, one after another. Each is a function of the fleet and the proxy before it."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import docker
import docker.errors
import requests
from docker.models.containers import Container

from bench.chaos.fleet import Fleet
from bench.macro.process import Haystack, Process

LIMIT = 60.0
Deed = Callable[["Scene", Container], None]


@dataclass
class Scene:
    """Where it happens.

    pace: seconds that each container has to itself afterwards. victims: to how many of them it happens (None: all). told: what
    was done, and when in Unix seconds.
    """

    fleet: Fleet
    proxy: Process
    pace: float
    victims: int | None = None
    told: list[tuple[float, str]] = field(default_factory=list)

    def tell(self, text: str) -> None:
        """Write down what is done now."""
        self.told.append((time.time(), text))

    def rest(self) -> None:
        """Nothing for a while."""
        time.sleep(self.pace)

    def each(self, deed: Deed) -> None:
        """Do it to one member after another."""
        for container in self.fleet.members[: self.victims]:
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
    container.pause()
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


def engine_restarted(command: str) -> Callable[[Scene], None]:
    """The engine is restarted by that command; its containers live on."""

    def act(scene: Scene) -> None:
        scene.tell("the engine is restarted")
        subprocess.run(shlex.split(command), check=True, timeout=LIMIT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + LIMIT
        while not answers(scene.fleet.client):
            if time.monotonic() > end:
                raise TimeoutError("the engine did not come back")
            time.sleep(0.05)
        scene.tell("the engine is back")
        scene.rest()

    return act


def answers(client: docker.DockerClient) -> bool:
    """Whether the engine does."""
    try:
        return bool(client.ping())
    except (docker.errors.DockerException, requests.RequestException):
        return False


def worker_killed(scene: Scene) -> None:
    """SIGKILL for a worker of the proxy."""
    victim = scene.proxy.groups()["worker"][0]
    scene.tell(f"kill worker {victim}")
    os.kill(victim, signal.SIGKILL)
    scene.rest()

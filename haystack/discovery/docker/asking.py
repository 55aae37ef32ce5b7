"""Threads that ask an engine, so that whoever follows its events never waits for an answer.

As many as are needed, up to MOST; one that has nothing to ask waits. What was found out is told where the events are told. Never does:
choosing what is asked, or in which order.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import TypeVar

from haystack.discovery.docker.client import Client
from haystack.discovery.docker.turns import DOUBTED, MOST

OTHERS = 4  # questions beside those about single containers: lists, networks, whether it is there; and how one has ended
JOIN = 5.0  # seconds for the threads to end once their calls are ended

T = TypeVar("T")
Heard = Callable[[], None]


class Asking:
    """hear: called in any of the threads with what is to be done about an answer, which is done elsewhere."""

    def __init__(self, client: Client, hear: Callable[[Heard], None]) -> None:
        self._client, self._hear = client, hear
        self._jobs: queue.SimpleQueue[Heard | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._busy = 0
        self._lock = threading.Lock()
        self._closed = False

    def ask(self, question: Callable[[], T], take: Callable[[T], None]) -> None:
        """Call question() in a thread, and hear(of take(its answer)); an error is raised where take() would have been called."""
        with self._lock:
            if self._closed:
                return
            self._busy += 1
            if self._busy > len(self._threads) < MOST + DOUBTED + OTHERS:
                thread = threading.Thread(target=self._run, name="haystack-ask", daemon=True)
                self._threads.append(thread)
                thread.start()
        self._jobs.put(lambda: self._answer(question, take))

    def close(self) -> None:
        """End all calls and threads, from another one than theirs."""
        with self._lock:
            self._closed = True
        for _ in self._threads:
            self._jobs.put(None)
        self._client.end_calls()
        for thread in self._threads:
            thread.join(timeout=JOIN)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            if not self._closed:
                job()
            with self._lock:
                self._busy -= 1

    def _answer(self, question: Callable[[], T], take: Callable[[T], None]) -> None:
        try:
            answer = question()
        except Exception as error:  # noqa: BLE001 - whoever asked decides what an error means
            self._hear(_raising(error))
        else:
            self._hear(lambda: take(answer))


def _raising(error: Exception) -> Heard:
    def fail() -> None:
        raise error

    return fail

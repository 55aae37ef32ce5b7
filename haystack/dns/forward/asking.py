"""Questions that are outstanding: each asked once for all who wait for its answer, and as many at a time as there are sockets.

Limits are by client and never first come, first served (shares.py): a client's waiters, its questions, and those of its questions that have
a socket. What has none waits, a line for each client, and the lines take turns. Never does: ask. The forwarder gives what asks.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

from haystack.dns import wire
from haystack.dns.forward.shares import Queue, Shares

QUESTIONS = 4096
WAITERS = 20_000

Key = TypeVar("Key", bound=Hashable)
Result = TypeVar("Result")


class Question(Generic[Key, Result]):
    """One question, for all who ask it.

    until: when it is given up, by the loop's clock; charged: the client whose question it is; turn: the client in whose turn it is asked;
    patience: when there is something to settle it with, whatever becomes of it.
    """

    def __init__(self, key: Key, query: wire.Query, client: str) -> None:
        self.key = key
        self.query = query
        self.charged = self.turn = client
        self.clients: set[str] = set()
        self.until = 0.0
        self.answer: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self.task: asyncio.Task[None] | None = None
        self.timer: asyncio.TimerHandle | None = None
        self.patience: asyncio.TimerHandle | None = None

    def settle(self, result: Result) -> None:
        """Everybody who waits has this; so has whoever joins from now on. The first one counts."""
        if not self.answer.done():
            self.answer.set_result(result)


class Asking(Generic[Key, Result]):
    """run: asks a question and settles it; too_late: for who has waited for a socket in vain; places: questions that have a socket."""

    def __init__(
        self,
        run: Callable[[Question[Key, Result]], Coroutine[Any, Any, None]],
        too_late: Result,
        *,
        places: int,
        limit: float,
        questions: int = QUESTIONS,
        waiters: int = WAITERS,
    ) -> None:
        self._run = run
        self._too_late = too_late
        self._limit = limit
        self._questions: dict[Key, Question[Key, Result]] = {}
        self._queue: Queue[Question[Key, Result]] = Queue()
        self._places = Shares(places)
        self._distinct = Shares(questions)
        self._waiters = Shares(waiters)

    def join(self, key: Key, query: wire.Query, client: str) -> Question[Key, Result] | None:
        """The question, outstanding already or from now on; None: that is more than this client's share."""
        question = self._questions.get(key)
        if question is None:
            if not self._distinct.take(client):
                return None
            question = self._questions[key] = Question(key, query, client)
        if question.task is None and client not in question.clients:
            self._stand(question, client)
            self._start()
        return question

    async def wait(self, question: Question[Key, Result], client: str) -> Result | None:
        """The answer; None: more than this client's share wait already."""
        if question.answer.done():
            return question.answer.result()
        if not self._waiters.take(client):
            return None
        try:
            return await asyncio.shield(question.answer)
        finally:
            self._waiters.give(client)

    def _stand(self, question: Question[Key, Result], client: str) -> None:
        """In this client's line too: its turn may come before that of who asked first. The time of the last one counts."""
        loop = asyncio.get_running_loop()
        question.clients.add(client)
        self._queue.put(client, question)
        question.until = loop.time() + self._limit
        if question.timer is not None:
            question.timer.cancel()
        question.timer = loop.call_at(question.until, self._expire, question)

    def _start(self) -> None:
        """Sockets to those whose turn it is."""
        while turn := self._queue.next(self._places.take):
            client, question = turn
            self._leave(question)
            question.turn = client
            question.task = asyncio.get_running_loop().create_task(self._run(question))
            question.task.add_done_callback(functools.partial(self._done, question, client))

    def _leave(self, question: Question[Key, Result]) -> None:
        self._queue.remove(question, question.clients)
        if question.timer is not None:
            question.timer.cancel()

    def _done(self, question: Question[Key, Result], client: str, _task: asyncio.Task[None]) -> None:
        self._places.give(client)
        self._over(question)
        self._start()

    def _expire(self, question: Question[Key, Result]) -> None:
        self._leave(question)
        self._over(question)

    def _over(self, question: Question[Key, Result]) -> None:
        self._questions.pop(question.key, None)
        self._distinct.give(question.charged)
        if question.patience is not None:
            question.patience.cancel()
        question.settle(self._too_late)

    @property
    def outstanding(self) -> int:
        """How many questions have no answer yet."""
        return len(self._questions)

    @property
    def asked(self) -> int:
        """How many of them have a socket."""
        return self._places.used

    async def close(self) -> None:
        """Stop asking; who waits is told that it is too late."""
        for question in list(self._questions.values()):
            if question.task is None:
                self._expire(question)
        tasks = [question.task for question in self._questions.values() if question.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

"""Queries as they run: off the event loop, so many at once, shared by all who ask the same, stopped when nobody waits.

A run holds its place until its process is free or has ended, whether it answered, took too long or lost all who waited.
"""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass

from mmstats.dataset import Dataset
from mmstats.engine_address import LOCAL, EngineAddress
from mmstats.errors import TooMuchMemory, Unreadable
from mmstats.question.query import StatsQuery
from mmstats.serve.process import Worker
from mmstats.serve.worker import Answer

_IDLE_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Limits:
    """How many queries run at once, how many more may wait, and the seconds and bytes that one may take."""

    concurrency: int
    queue: int
    timeout: float
    memory: int | None = None


class Overloaded(Exception):
    """More queries than run and wait at once, or a server that is about to stop."""


class Run:
    """One query on its way to an answer for all who wait for it."""

    def __init__(self, task: "asyncio.Task[Answer]") -> None:
        self.task = task
        self.stopped = False
        self._awaited = 0

    def join(self) -> "asyncio.Future[Answer]":
        """Wait for the answer from now on; when the last who waits goes away, the run is stopped."""
        self._awaited += 1
        joined = asyncio.ensure_future(self._outcome())
        joined.add_done_callback(self._leave)
        return joined

    async def _outcome(self) -> Answer:
        return await asyncio.shield(self.task)

    def _leave(self, _: "asyncio.Future[Answer]") -> None:
        self._awaited -= 1
        if not self._awaited:
            self.stopped = True
            self.task.cancel()


class Runs:
    """All queries that run or wait for a place, over one dataset; `tell` hears what the log should have of them."""

    def __init__(
        self, dataset: Dataset, limits: Limits, tell: Callable[[str, str], None], engine: EngineAddress = LOCAL
    ) -> None:
        self._dataset, self._limits, self._tell, self._engine = dataset, limits, tell, engine
        self._places = asyncio.Semaphore(limits.concurrency)
        self._idle: dict[Worker, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[Answer]] = set()
        self._by_question: dict[str, Run] = {}
        self._closing = False
        self.running = 0

    @property
    def waiting(self) -> int:
        """How many queries wait for a place."""
        return len(self._tasks) - self.running

    def find(self, key: str) -> Run | None:
        """The run, if there is one, that answers the question with this key."""
        run = self._by_question.get(key)
        return None if run is None or run.stopped else run

    def start(self, key: str, query: StatsQuery) -> Run:
        """A new run.

        Raises Overloaded when as many run and wait as may.
        """
        if self._closing or len(self._tasks) >= self._limits.concurrency + self._limits.queue:
            raise Overloaded
        run = Run(asyncio.create_task(self._answer(query)))
        self._tasks.add(run.task)
        self._by_question[key] = run
        run.task.add_done_callback(lambda task: self._end(key, task))
        return run

    def _end(self, key: str, task: "asyncio.Task[Answer]") -> None:
        self._tasks.discard(task)
        run = self._by_question.get(key)
        if run and run.task is task:
            del self._by_question[key]
        if not task.cancelled():
            task.exception()  # looked at, also when nobody is left to be told

    async def _answer(self, query: StatsQuery) -> Answer:
        async with self._places:
            if self._closing:
                raise Overloaded
            self.running += 1
            try:
                return await self._asked(query)
            finally:
                self.running -= 1

    async def _asked(self, query: StatsQuery) -> Answer:
        """The answer of a worker; what earlier questions have left in its memory does not count against this one."""
        deadline = asyncio.get_running_loop().time() + self._limits.timeout
        worker = self._taken() or await self._new()
        worn = not worker.fresh
        try:
            return await self._answer_of(worker, query, deadline)
        except TooMuchMemory:
            if not worn:
                raise
        return await self._answer_of(await self._new(), query, deadline)

    async def _answer_of(self, worker: Worker, query: StatsQuery, deadline: float) -> Answer:
        """The answer of a worker, which is ended when it is cut short; an error that it answers leaves it whole."""
        try:
            async with asyncio.timeout_at(deadline) as patience:
                answer = await worker.answer(query, self._dataset, self._engine, self._limits.memory)
        except (asyncio.CancelledError, TimeoutError):
            worker.kill()
            await asyncio.shield(worker.end())
            if patience.expired():
                raise Unreadable(f"the query took longer than {self._limits.timeout:g} seconds") from None
            raise
        finally:
            self._give_back(worker)
        for notice in answer.notices:
            self._tell("notice", notice)
        return answer

    async def _new(self) -> Worker:
        try:
            return await Worker.start(lambda line: self._tell("worker", line))
        except OSError as error:  # no more processes, memory or files are to be had now
            self._tell("worker", f"cannot be started: {error.strerror}")
            raise Overloaded from None

    def _taken(self) -> Worker | None:
        """The worker that was asked last of those that nobody asks."""
        while self._idle:
            worker, retiring = self._idle.popitem()
            retiring.cancel()
            if worker.alive:
                return worker
        return None

    def _give_back(self, worker: Worker) -> None:
        if worker.alive:
            self._idle[worker] = asyncio.get_running_loop().call_later(_IDLE_SECONDS, self._retire, worker)

    def _retire(self, worker: Worker) -> None:
        del self._idle[worker]
        worker.kill()

    async def prepare(self) -> None:
        """Start a first worker, so that the first question does not wait for the engine to load."""
        with contextlib.suppress(Overloaded):
            self._give_back(await self._new())

    def close(self) -> None:
        """Let what runs finish, and nothing new begin."""
        self._closing = True

    async def stop(self) -> None:
        """End all that runs and all workers, and wait until they have ended."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        while worker := self._taken():
            await worker.end()

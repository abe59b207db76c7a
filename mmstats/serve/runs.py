"""Queries as they run: off the event loop, so many at once, shared by all who ask the same, stopped when nobody waits.

A run holds its place until its process has ended, whether it answered, took too long or lost all who waited.
"""

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass

import anyio
from anyio.to_process import run_sync

from mmstats.dataset import Dataset
from mmstats.query import StatsQuery
from mmstats.serve import worker
from mmstats.serve.envelope import Refused
from mmstats.serve.worker import Answer


@dataclass(frozen=True, slots=True)
class Limits:
    """How many queries run at once, how many more may wait, and the seconds that one may take (None: any)."""

    concurrency: int
    queue: int
    timeout: float | None


class Run:
    """One query on its way to an answer for all who wait for it."""

    def __init__(self, task: "asyncio.Task[Answer]") -> None:
        self.task = task
        self.stopped = False
        self._awaited = 0

    async def answer(self) -> Answer:
        """The answer; when the last who waited for it goes away, the run is stopped."""
        self._awaited += 1
        try:
            return await asyncio.shield(self.task)
        finally:
            self._awaited -= 1
            if not self._awaited:
                self.stopped = True
                self.task.cancel()


class Runs:
    """All queries that run or wait for a place, over one dataset."""

    def __init__(self, dataset: Dataset, limits: Limits, finished: Callable[[Answer], None]) -> None:
        self._dataset, self._limits, self._finished = dataset, limits, finished
        self._places = anyio.CapacityLimiter(limits.concurrency)
        self._processes = anyio.CapacityLimiter(math.inf)
        self._tasks: set[asyncio.Task[Answer]] = set()
        self._by_question: dict[str, Run] = {}

    @property
    def running(self) -> int:
        """How many queries hold a place."""
        return int(self._places.borrowed_tokens)

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

        Raises Refused when as many run and wait as may.
        """
        if len(self._tasks) >= self._limits.concurrency + self._limits.queue:
            raise Refused("overloaded", headers={"Retry-After": "1"})
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
            with anyio.move_on_after(self._limits.timeout):
                found = await run_sync(worker.answer, query, self._dataset, cancellable=True, limiter=self._processes)
                self._finished(found)
                return found
        raise Refused("upstream_failed", {"message": f"the query took longer than {self._limits.timeout:g} seconds"})

    async def prepare(self) -> None:
        """Start a first process, so that the first question does not wait for the engine to load."""
        await run_sync(worker.prepare, cancellable=True, limiter=self._processes)

    async def stop(self) -> None:
        """Stop all that runs and wait until it has."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

"""Queries in worker processes: bounded in number, shared by equal requests, stopped when late or no longer awaited.

A query holds its slot until its worker is idle again or has ended, whether it was answered, timed out or abandoned.
"""

import asyncio
import contextlib
import os
import pickle
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path

from mmstats.dataset import Dataset
from mmstats.engine_address import LOCAL
from mmstats.errors import OutOfResources, TooMuchMemory, Unreadable
from mmstats.question.query import StatsQuery
from mmstats.resources import lack_in
from mmstats.serve.errors import Overloaded
from mmstats.serve.log import Log
from mmstats.serve.options import KEY_VARIABLE, ServeOptions
from mmstats.serve.worker import LENGTH, TOO_MUCH_MEMORY_EXIT, Answer, Job
from mmstats.wording import plural

_IDLE_SECONDS = 300.0
_MAX_LINE = 1 << 16
_SLOW = "asked again, it goes on from the files it has read; a shorter range takes less; --query-timeout is the bound"
# Taken once, since the folder that the server was started in may go; not from there, since it may hold anything.
_SEARCH_PATH = [*(place for place in sys.path if place and Path(place) != Path.cwd()), str(Path(__file__).parents[2])]
_PROGRAM = "import sys; sys.path[:] = sys.argv[1:]; from mmstats.serve.worker import main; main()"


class WorkerDied(Unreadable):
    """A worker ended in the middle of a query: a damaged file crashed the engine, or memory ran out."""


class Worker:
    """A process that answers one query at a time; it is `fresh` until the first."""

    def __init__(self, process: Process, log: Log) -> None:
        self._process = process
        self._killed = False
        self.fresh = True
        self._logging = asyncio.create_task(self._log_stderr(log))

    @classmethod
    async def start(cls, log: Log) -> "Worker":
        """A new worker, which loads the engine while it waits for its first query; what it prints goes to the log."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-c", _PROGRAM, *_SEARCH_PATH),
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            limit=_MAX_LINE,
            env={name: value for name, value in os.environ.items() if name != KEY_VARIABLE},
            start_new_session=True,  # the terminal's interrupt is for the server alone
        )
        return cls(process, log)

    async def answer(self, job: Job) -> Answer:
        """The answer; when this is cancelled, the worker can only be killed.

        Raises what the engine raises, TooMuchMemory, or WorkerDied when the process ends.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            stdin.write(pickle.dumps(job))
            await stdin.drain()
            (length,) = LENGTH.unpack(await stdout.readexactly(LENGTH.size))
            reply = pickle.loads(await stdout.readexactly(length))  # noqa: S301 - from our own worker
        except (asyncio.IncompleteReadError, ConnectionError):
            code = await self._process.wait()
            if code == TOO_MUCH_MEMORY_EXIT and job.max_memory is not None:
                raise TooMuchMemory(job.max_memory) from None
            raise WorkerDied(f"the query's process ended with {code}: out of memory, or a damaged file?") from None
        self.fresh = False
        if isinstance(reply, Exception):
            raise reply
        assert isinstance(reply, Answer)
        return reply

    @property
    def alive(self) -> bool:
        """Whether it can take a job."""
        return not self._killed and self._process.returncode is None

    def kill(self) -> None:
        """End it at once."""
        if self.alive:
            self._killed = True
            self._process.kill()

    async def end(self) -> None:
        """End it and wait until it has ended."""
        self.kill()
        await self._process.wait()
        await self._logging

    async def _log_stderr(self, log: Log) -> None:
        stderr = self._process.stderr
        assert stderr is not None
        while not stderr.at_eof():
            with contextlib.suppress(ValueError):  # a line longer than the limit
                line = await stderr.readline()
                if line.strip():
                    log.warning("worker", message=line.decode(errors="replace").rstrip())


class RunningQuery:
    """A query that waits for a worker or runs in one, shared by all requests for it."""

    def __init__(self, task: "asyncio.Task[Answer]") -> None:
        self.task = task
        self.abandoned = False
        self._requests = 0

    async def join(self) -> Answer:
        """The answer; when the last request that waits for it is cancelled, so is the query."""
        self._requests += 1
        try:
            return await asyncio.shield(self.task)
        finally:
            self._requests -= 1
            if not self._requests:
                self.abandoned = True
                self.task.cancel()


class WorkerPool:
    """The workers of one dataset, and the queries that run in them or wait for one."""

    def __init__(self, dataset: Dataset, options: ServeOptions, log: Log) -> None:
        self._dataset, self._options, self._log = dataset, options, log
        self._slots = asyncio.Semaphore(options.max_concurrency)
        self._idle: dict[Worker, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[Answer]] = set()
        self._queries: dict[str, RunningQuery] = {}
        self._closing = False
        self.running = 0

    def waiting(self) -> int:
        """How many queries wait for a slot."""
        return len(self._tasks) - self.running

    def find(self, key: str) -> RunningQuery | None:
        """The query under this key that can still be joined."""
        running = self._queries.get(key)
        return None if running is None or running.abandoned else running

    def submit(self, key: str, query: StatsQuery) -> RunningQuery:
        """Run a query, or have it wait for a slot.

        Raises Overloaded when as many run and wait as may.
        """
        if self._closing or len(self._tasks) >= self._options.max_concurrency + self._options.queue:
            raise Overloaded
        running = RunningQuery(asyncio.create_task(self._run(query)))
        self._tasks.add(running.task)
        self._queries[key] = running
        running.task.add_done_callback(lambda _: self._forget(key, running))
        return running

    def _forget(self, key: str, running: RunningQuery) -> None:
        self._tasks.discard(running.task)
        if self._queries.get(key) is running:
            del self._queries[key]
        if not running.task.cancelled():
            running.task.exception()  # asyncio complains of one that is never retrieved, also where nobody waits

    async def _run(self, query: StatsQuery) -> Answer:
        job = Job(query, self._dataset, self._options.engine or LOCAL, self._options.max_memory)
        async with self._slots:
            if self._closing:
                raise Overloaded
            self.running += 1
            try:
                deadline = asyncio.get_running_loop().time() + self._options.query_timeout
                worker = self._take_idle() or await self._new_worker()
                used = not worker.fresh
                try:
                    return await self._ask(worker, job, deadline)
                except TooMuchMemory:
                    if not used:
                        raise
                # What earlier queries left in the process's memory does not count against this one.
                return await self._ask(await self._new_worker(), job, deadline)
            finally:
                self.running -= 1

    async def _ask(self, worker: Worker, job: Job, deadline: float) -> Answer:
        """The answer of a worker, which is idle afterwards, also after an error, and killed when cancelled or late."""
        try:
            async with asyncio.timeout_at(deadline) as timeout:
                return await worker.answer(job)
        except (asyncio.CancelledError, TimeoutError):
            worker.kill()
            await asyncio.shield(worker.end())
            if timeout.expired():
                seconds = plural(self._options.query_timeout, "second")
                raise Unreadable(f"the query took longer than {seconds}", hint=_SLOW) from None
            raise
        finally:
            self._make_idle(worker)

    async def _new_worker(self) -> Worker:
        try:
            return await Worker.start(self._log)
        except (OSError, RuntimeError) as error:  # the system is out of processes, memory, files or threads
            self._log.warning("worker", message=f"cannot be started: {error}")
            raise lack_in(error) or Overloaded() from None

    def _take_idle(self) -> Worker | None:
        """The worker that was idle for the shortest time."""
        while self._idle:
            worker, retirement = self._idle.popitem()
            retirement.cancel()
            if worker.alive:
                return worker
        return None

    def _make_idle(self, worker: Worker) -> None:
        if worker.alive:
            self._idle[worker] = asyncio.get_running_loop().call_later(_IDLE_SECONDS, self._retire, worker)

    def _retire(self, worker: Worker) -> None:
        del self._idle[worker]
        worker.kill()

    def close(self) -> None:
        """Let running queries finish, and start no others."""
        self._closing = True

    @contextlib.asynccontextmanager
    async def lifespan(self, _: object) -> AsyncIterator[None]:
        """Start a worker, so that it has loaded the engine before the first query; in the end, stop everything."""

        async def prepare() -> None:
            with contextlib.suppress(Overloaded, OutOfResources):
                self._make_idle(await self._new_worker())

        preparing = asyncio.create_task(prepare())
        try:
            yield
        finally:
            await preparing
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            while worker := self._take_idle():
                await worker.end()

"""The server's side of a worker: started, asked, and ended so that nothing of it is left."""

import asyncio
import pickle
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable

from mmstats.dataset import Dataset
from mmstats.query import StatsQuery
from mmstats.serve.worker import LENGTH, Answer

# With our own search path, and without the folder that we were started in: its modules are no libraries (-P).
_PROGRAM = "import sys; sys.path[:] = sys.argv[1:]; from mmstats.serve.worker import main; main()"


class WorkerDied(Exception):
    """A worker ended in the middle of a question, as by a crash of the engine or for want of memory."""


class Worker:
    """A process that answers one question at a time; `report` is told what it prints."""

    def __init__(self, process: Process, report: Callable[[str], None]) -> None:
        self._process = process
        self._killed = False
        self._printing = asyncio.create_task(self._listen(report))

    @classmethod
    async def start(cls, report: Callable[[str], None]) -> "Worker":
        """A new worker, which loads the engine while it waits for its first question."""
        command = (sys.executable, "-P", "-c", _PROGRAM, *sys.path)
        # In a session of its own, the terminal's interrupt is for the server alone.
        return cls(
            await asyncio.create_subprocess_exec(
                *command, stdin=PIPE, stdout=PIPE, stderr=PIPE, start_new_session=True
            ),
            report,
        )

    async def answer(self, query: StatsQuery, dataset: Dataset) -> Answer:
        """What it answers; given up in the middle, it is good for nothing but to be ended.

        Raises DatasetError when the events cannot be had, WorkerDied when the process ends.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            stdin.write(pickle.dumps((query, dataset)))
            await stdin.drain()
            (length,) = LENGTH.unpack(await stdout.readexactly(LENGTH.size))
            outcome = pickle.loads(await stdout.readexactly(length))  # noqa: S301 - from our own worker
        except (asyncio.IncompleteReadError, ConnectionError):
            raise WorkerDied(f"a worker ended with {await self._process.wait()}") from None
        if isinstance(outcome, BaseException):
            raise outcome
        assert isinstance(outcome, Answer)
        return outcome

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return not self._killed and self._process.returncode is None

    def kill(self) -> None:
        """Stop it at once."""
        if self.alive:
            self._killed = True
            self._process.kill()

    async def end(self) -> None:
        """Stop it and wait until it has stopped."""
        self.kill()
        await self._process.wait()
        await self._printing

    async def _listen(self, report: Callable[[str], None]) -> None:
        assert self._process.stderr is not None
        while chunk := await self._process.stderr.read(4096):
            for line in chunk.decode(errors="replace").splitlines():
                report(line)

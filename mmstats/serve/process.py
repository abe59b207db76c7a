"""The server's side of a worker: started, asked, and ended so that nothing of it is left."""

import asyncio
import os
import pickle
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from pathlib import Path

from mmstats.dataset import Dataset
from mmstats.engine_address import EngineAddress
from mmstats.errors import TooMuchMemory, Unreadable
from mmstats.question.query import StatsQuery
from mmstats.serve.options import KEY_VARIABLE
from mmstats.serve.worker import LENGTH, TOO_MUCH_MEMORY, Answer

_LONGEST_LINE = 1 << 16
_PROGRAM = "import sys; sys.path[:] = sys.argv[1:]; from mmstats.serve.worker import main; main()"


class WorkerDied(Unreadable):
    """A worker ended in the middle of a question, as by a file that the engine cannot stand, or for want of memory."""


class Worker:
    """A process that answers one question at a time, `fresh` until the first; `report` is told what it prints."""

    def __init__(self, process: Process, report: Callable[[str], None]) -> None:
        self._process = process
        self._killed = False
        self.fresh = True
        self._printing = asyncio.create_task(self._listen(report))

    @classmethod
    async def start(cls, report: Callable[[str], None]) -> "Worker":
        """A new worker, which loads the engine while it waits for its first question."""
        command = (sys.executable, "-P", "-c", _PROGRAM, *_search_path())
        environment = {name: value for name, value in os.environ.items() if name != KEY_VARIABLE}
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            limit=_LONGEST_LINE,
            env=environment,
            start_new_session=True,  # the terminal's interrupt is for the server alone
        )
        return cls(process, report)

    async def answer(self, query: StatsQuery, dataset: Dataset, engine: EngineAddress, size: int | None) -> Answer:
        """What an engine answers in it, taking `size` bytes at most; given up in the middle, it can only be ended.

        Raises DatasetError when the events cannot be had, TooMuchMemory and WorkerDied when the process ends.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            stdin.write(pickle.dumps((query, dataset, engine, size)))
            await stdin.drain()
            (length,) = LENGTH.unpack(await stdout.readexactly(LENGTH.size))
            outcome = pickle.loads(await stdout.readexactly(length))  # noqa: S301 - from our own worker
        except (asyncio.IncompleteReadError, ConnectionError):
            ended = await self._process.wait()
            if ended == TOO_MUCH_MEMORY and size is not None:
                raise TooMuchMemory(size) from None
            raise WorkerDied(f"the query's process ended with {ended}: out of memory, or a damaged file?") from None
        self.fresh = False
        if isinstance(outcome, Exception):
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
        printed = self._process.stderr
        assert printed is not None
        while not printed.at_eof():
            try:
                line = await printed.readline()
            except ValueError:  # longer than may be kept
                continue
            if line.strip():
                report(line.decode(errors="replace").rstrip())


def _search_path() -> list[str]:
    """Where a worker finds libraries: not in the folder that we were started in, which may hold anything."""
    here, own = Path.cwd(), str(Path(__file__).parents[2])
    return [*(place for place in sys.path if place and Path(place) != here), own]

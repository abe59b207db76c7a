"""The program of a worker process: it answers one query after the other, and can be killed at any moment.

The server writes pickled jobs to its stdin; it writes the length of a pickled answer or error, and that, to its stdout.
It ends when its stdin does, so with the server, even in the middle of a query; and with TOO_MUCH_MEMORY_EXIT when a
query takes more memory than it may.
"""

import os
import pickle
import signal
import struct
import sys
import threading
import traceback
from contextlib import suppress
from dataclasses import dataclass
from queue import SimpleQueue

from mmstats.cache import user_cache
from mmstats.dataset import Dataset
from mmstats.engine_address import EngineAddress
from mmstats.errors import MmstatsError
from mmstats.memory import fatal_above
from mmstats.question.query import StatsQuery
from mmstats.resources import lack_in

LENGTH = struct.Struct("!Q")
TOO_MUCH_MEMORY_EXIT = 75


@dataclass(frozen=True, slots=True)
class Job:
    """A query to answer; `max_memory` is in bytes, None for no bound."""

    query: StatsQuery
    dataset: Dataset
    engine: EngineAddress
    max_memory: int | None


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer: the JSON body, and what the headers and the log say of it."""

    body: bytes
    rows: int
    truncated: bool
    notices: tuple[str, ...]


def main() -> None:
    """Answer jobs until stdin ends."""
    for name in (signal.SIGINT, signal.SIGTERM):  # they are for the server, which lets a query finish
        signal.signal(name, signal.SIG_IGN)
    # Whatever a library prints goes to stderr, not between the answers.
    with os.fdopen(os.dup(1), "wb") as replies:
        os.dup2(2, 1)
        jobs: SimpleQueue[Job] = SimpleQueue()
        threading.Thread(target=_read_jobs, args=(jobs,), daemon=True).start()
        from mmstats.engines import engine_for

        with suppress(MmstatsError):  # which a job's answer says
            engine_for()  # loaded before the first job comes
        while True:
            reply = pickle.dumps(_answer(jobs.get()))
            replies.write(LENGTH.pack(len(reply)) + reply)
            replies.flush()


def _read_jobs(jobs: "SimpleQueue[Job]") -> None:
    try:
        while True:
            jobs.put(pickle.load(sys.stdin.buffer))  # noqa: S301 - from our own server
    except EOFError:
        os._exit(0)  # the server has gone


def _answer(job: Job) -> Answer | Exception:
    """The answer, or the error instead of it, with its traceback as a note."""
    from mmstats.engines import engine_for

    try:
        with fatal_above(job.max_memory, TOO_MUCH_MEMORY_EXIT):
            stats = engine_for(job.engine)(job.query, job.dataset.within(job.max_memory), cache=user_cache(os.environ))
            return Answer(stats.to_json().encode(), len(stats.rows), stats.truncated, tuple(stats.notices))
    except BaseException as error:  # the server tells it, be it a bug or not; a panic of the engine is no Exception
        told = lack_in(error) or error
        if isinstance(told, Exception) and _can_be_pickled(told):
            told.add_note(traceback.format_exc())
            return told
        return RuntimeError(traceback.format_exc())


def _can_be_pickled(error: Exception) -> bool:
    try:
        return isinstance(pickle.loads(pickle.dumps(error)), type(error))  # noqa: S301 - made on this line
    except Exception:  # whatever pickling it raises
        return False

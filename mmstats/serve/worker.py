"""One question after the other answered in a process of its own, which can be stopped at any instant.

The server writes a pickled question to its stdin; it writes the length of a pickled answer or error, and that, to its
stdout. It ends with its stdin, so with its server, in the middle of a query too; and, with an exit code of its own,
when a question takes more memory than it may.
"""

import os
import pickle
import signal
import struct
import sys
import threading
import traceback
from dataclasses import dataclass
from queue import SimpleQueue

from mmstats.cache import user_cache
from mmstats.dataset import Dataset
from mmstats.engine_address import EngineAddress
from mmstats.memory import fatal_above
from mmstats.question.query import StatsQuery

LENGTH = struct.Struct("!Q")
TOO_MUCH_MEMORY = 75
_Asked = tuple[StatsQuery, Dataset, EngineAddress, int | None]


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as it is sent and kept: its bytes, and what is said of them in headers and the log."""

    body: bytes
    rows: int
    truncated: bool
    notices: tuple[str, ...]


def main() -> None:
    """Answer questions until there are no more."""
    for ignored in (signal.SIGINT, signal.SIGTERM):  # meant for the server, which lets a query finish
        signal.signal(ignored, signal.SIG_IGN)
    # What a library prints must not come between the answers.
    with os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(2, 1)
        questions: SimpleQueue[_Asked] = SimpleQueue()
        threading.Thread(target=_listen, args=(questions,), daemon=True).start()
        from mmstats.engines import engine_for

        engine_for()  # loaded before the first question comes
        while True:
            reply = pickle.dumps(_outcome(*questions.get()))
            answers.write(LENGTH.pack(len(reply)) + reply)
            answers.flush()


def _listen(questions: "SimpleQueue[_Asked]") -> None:
    """Take questions in; when the server has gone there is nobody to answer."""
    try:
        while True:
            questions.put(pickle.load(sys.stdin.buffer))  # noqa: S301 - from our own server
    except EOFError:
        os._exit(0)


def _outcome(query: StatsQuery, dataset: Dataset, engine: EngineAddress, size: int | None) -> Answer | Exception:
    """The answer, or the error that stands for it, with where it came from written on it."""
    from mmstats.engines import engine_for

    try:
        with fatal_above(size, TOO_MUCH_MEMORY):
            stats = engine_for(engine)(query, dataset, cache=user_cache(os.environ))
            return Answer(stats.to_json().encode(), len(stats.rows), stats.truncated, tuple(stats.notices))
    except Exception as error:
        error.add_note(traceback.format_exc())
        return error if _travels(error) else RuntimeError(traceback.format_exc())
    except BaseException:  # a panic of the engine
        return RuntimeError(traceback.format_exc())


def _travels(error: Exception) -> bool:
    """Whether an error can be sent to the server."""
    try:
        return isinstance(pickle.loads(pickle.dumps(error)), type(error))  # noqa: S301 - made on this line
    except Exception:
        return False

"""One question after the other answered in a process of its own, which can be stopped at any instant.

The server writes a pickled question to its stdin; it writes the length of a pickled answer or error, and that, to its
stdout. It ends with its stdin, so with its server.
"""

import os
import pickle
import struct
import sys
import traceback
from dataclasses import dataclass

from mmstats.dataset import Dataset
from mmstats.query import StatsQuery

LENGTH = struct.Struct("!Q")


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as it is sent and kept: its bytes, and what is said of them in headers and the log."""

    body: bytes
    rows: int
    truncated: bool
    notices: tuple[str, ...]


def main() -> None:
    """Answer questions until there are no more."""
    # What a library prints must not come between the answers.
    with os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(2, 1)
        from mmstats.engines import engine_for

        engine_for()  # loaded before the first question comes
        while True:
            try:
                query, dataset = pickle.load(sys.stdin.buffer)  # noqa: S301 - from our own server
            except EOFError:
                return
            reply = pickle.dumps(_outcome(query, dataset))
            answers.write(LENGTH.pack(len(reply)) + reply)
            answers.flush()


def _outcome(query: StatsQuery, dataset: Dataset) -> Answer | BaseException:
    """The answer, or the error that stands for it, with where it came from written on it."""
    from mmstats.engines import engine_for

    try:
        stats = engine_for()(query, dataset)
        return Answer(stats.to_json().encode(), len(stats.rows), stats.truncated, tuple(stats.notices))
    except BaseException as error:  # a panic of the engine is no Exception
        try:
            error.add_note(traceback.format_exc())
            pickle.loads(pickle.dumps(error))  # noqa: S301 - made on this line
        except Exception:
            return RuntimeError(traceback.format_exc())
        return error

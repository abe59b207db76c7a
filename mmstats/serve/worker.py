"""One question answered in a process of its own: what it uses goes with it, and it can be stopped at any instant."""

import signal
from dataclasses import dataclass

from mmstats.dataset import Dataset
from mmstats.engines import engine_for
from mmstats.query import StatsQuery


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as it is sent and kept: its bytes, and what is said of them in headers and the log."""

    body: bytes
    rows: int
    truncated: bool
    notices: tuple[str, ...]


def prepare() -> None:
    """Load the engine before the first question; the terminal's interrupt is for the server, which then stops us."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    engine_for()


def answer(query: StatsQuery, dataset: Dataset) -> Answer:
    """What the dataset answers to the question.

    Raises DatasetError when the events cannot be had.
    """
    prepare()
    stats = engine_for()(query, dataset)
    return Answer(stats.to_json().encode(), len(stats.rows), stats.truncated, tuple(stats.notices))

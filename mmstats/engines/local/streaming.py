"""Frames computed in a stream: as a whole, or batch by batch, worked on beside the reading of the next ones."""

import contextlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

import polars as pl

_WORKERS = 2  # of whom each holds a batch; what they call uses all cores in turn


def collect(frame: pl.LazyFrame) -> pl.DataFrame:
    """All of a frame."""
    with _interruptible():
        return frame.collect(engine="streaming")


def each_batch(frame: pl.LazyFrame, take: Callable[[pl.DataFrame], None], batch_rows: int) -> None:
    """Give all of a frame to `take`, `batch_rows` rows at a time, in no order and from several threads.

    What `take` raises ends it.
    """
    working: set[Future[None]] = set()

    def hand_over(batch: pl.DataFrame) -> None:
        if len(working) >= _WORKERS:
            _finish(working, FIRST_COMPLETED)
        working.add(workers.submit(take, batch))

    with ThreadPoolExecutor(_WORKERS) as workers:
        with _interruptible():
            frame.sink_batches(hand_over, chunk_size=batch_rows, maintain_order=False, engine="streaming")
        _finish(working, "ALL_COMPLETED")


def _finish(working: set[Future[None]], when: str) -> None:
    """Wait for some of the work, and raise what came up in it."""
    done, _ = wait(working, return_when=when)
    working -= done
    for one in done:
        one.result()


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        with contextlib.suppress(KeyboardInterrupt):
            time.sleep(0)  # Python raises for the same signal once more, which would cut our cleaning up short
        raise
